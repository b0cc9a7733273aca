"""Whose report goes into the ledger next: one run after the other, so that a short run waits behind no large one."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterable

from crossfleet.coordinator.convert.reports import Item
from crossfleet.coordinator.core.commands import AllocationEnded, WantTasks
from crossfleet.coordinator.core.model import Allocation, Attempt, State


class Turns:
    """Room for so many at once. Who waits is called by run, each in its turn; of one run, who came first."""

    def __init__(self, room: int) -> None:
        """All of it is free."""
        self._room = room
        self._lines: OrderedDict[str, deque[Turn]] = OrderedDict()

    def line_up(self, turn: Turn, run_id: str) -> None:
        """Call a turn now, or when its run's has come."""
        if self._room:
            self._room -= 1
            turn.call()
        else:
            self._lines.setdefault(run_id, deque()).append(turn)

    def give_back(self) -> None:
        """One that was called is over: the next one is called."""
        while self._lines:
            run_id, line = self._lines.popitem(last=False)
            # Who was called by another run, or has given up, does not use up this one's turn.
            while line and not line[0].waits:
                line.popleft()
            if line:
                line.popleft().call()
                if line:
                    self._lines[run_id] = line
                return
        self._room += 1


class Turn:
    """One of those who wait, as a context: entered when it is called. It stands in the line of each run that it concerns."""

    __slots__ = ("_called", "_runs", "_turns")

    def __init__(self, turns: Turns) -> None:
        """It stands in no line."""
        self._turns = turns
        self._runs: set[str] = set()
        self._called: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def waits(self) -> bool:
        """Whether it was not called, and nobody has given up waiting."""
        return not self._called.done()

    def call(self) -> None:
        """Whoever waits goes on."""
        self._called.set_result(None)

    def concern(self, run_ids: Iterable[str]) -> None:
        """Stand in the lines of these runs too."""
        for run_id in run_ids:
            if self.waits and run_id not in self._runs:
                self._runs.add(run_id)
                self._turns.line_up(self, run_id)

    async def __aenter__(self) -> None:
        """Waits."""
        try:
            await self._called
        except asyncio.CancelledError:
            if not self._called.cancelled():  # it was called at the same moment
                self._turns.give_back()
            raise

    async def __aexit__(self, *exception: object) -> None:
        """Lets the next one go on."""
        self._turns.give_back()


def concerned(state: State, items: Iterable[Item], wants: Iterable[WantTasks]) -> dict[str, None]:
    """The runs of which a report says something; what is not known any more belongs to the run without a name."""
    subjects: list[Attempt | Allocation | None] = [
        state.allocations.get(item.allocation_id)
        if isinstance(item, AllocationEnded)
        else state.attempts.get(item.attempt_id)
        for item in items
    ]
    subjects += [state.allocations.get(want.allocation_id) for want in wants]
    return dict.fromkeys(one.run_id if one is not None else "" for one in subjects)
