"""What a worker has said and the ledger has not taken yet, in the order in which it came."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from crossfleet.coordinator.convert.reports import Item
from crossfleet.coordinator.core.commands import WantTasks


@dataclass(slots=True)
class Reported:
    """What is committed together, up to the worker's `sequence`: items, then the slots that want more, by allocation.

    `runs` are those that it concerns.
    """

    items: list[Item] = field(default_factory=list)
    slots: dict[str, dict[int, None]] = field(default_factory=dict)
    sequence: int = 0
    runs: dict[str, None] = field(default_factory=dict)

    def wants(self, worker_id: str) -> tuple[WantTasks, ...]:
        """The slots as commands have them."""
        return tuple(WantTasks(worker_id, allocation_id, tuple(slots)) for allocation_id, slots in self.slots.items())


Other = Callable[[], Awaitable[Any]]
"""Commits something that is no report."""


class Unsettled:
    """Bounded. Reports that come while others wait for their turn join them: the busier the ledger, the more goes at once."""

    def __init__(self, most: int) -> None:
        """At most so many messages, about."""
        self._most = most
        self._said: deque[Reported | Other] = deque()
        self._weight = 0
        self._room = asyncio.Event()

    def __len__(self) -> int:
        """What waits for a commit of its own."""
        return len(self._said)

    @property
    def first_report(self) -> Reported | None:
        """The report that is next, if one is."""
        first = self._said[0] if self._said else None
        return first if isinstance(first, Reported) else None

    def report(
        self, items: Iterable[Item], wants: Iterable[WantTasks], sequence: int, runs: Iterable[str] = ()
    ) -> None:
        """One message's worth of reports, which concerns these runs."""
        last = self._said[-1] if self._said else None
        if not isinstance(last, Reported):
            last = Reported()
            self._said.append(last)
        last.items += items
        last.sequence = max(last.sequence, sequence)
        last.runs.update(dict.fromkeys(runs))
        for want in wants:
            last.slots.setdefault(want.allocation_id, {}).update(dict.fromkeys(want.slots))
        self._weight += 1

    def other(self, commit: Other) -> None:
        """Something that keeps its place between reports."""
        self._said.append(commit)
        self._weight += 1

    def next(self) -> Reported | Other:
        """What is to be committed now; what comes from here on is for later."""
        taken = self._said.popleft()
        if not self._said:
            self._weight = 0
            self._room.set()
        return taken

    def clear(self) -> None:
        """Nothing more is committed of it: the worker will say it again."""
        self._said.clear()
        self._weight = 0
        self._room.set()

    async def room(self) -> None:
        """Returns when more may be read."""
        while self._weight >= self._most:
            self._room.clear()
            await self._room.wait()
