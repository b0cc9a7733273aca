"""Commands that wait for their commit, and whoever waits for the answers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core.answers import Answer
from crossfleet.coordinator.core.commands import Command
from crossfleet.coordinator.core.emitter import Rejection

_SOON = (c.SubmitRun, c.StopRun, c.ApplyPlan, c.DrainWorker)
"""Commands for which somebody waits. Thousands of reports may be queued before them, none of which they depend on."""


class LedgerRejected(Exception):
    """A command was refused; nothing was recorded for it. `rejection.reason` names an ErrorReason."""

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(rejection.message)
        self.rejection = rejection


_Waiter = tuple[Command, "asyncio.Future[Answer]"]


class Waiters:
    """A queue, and the batch that was taken from it last. Bounded.

    What comes from people and schedulers overtakes what workers report, and takes at most half of a batch from it.
    """

    def __init__(self, limit: int) -> None:
        """At most `limit` commands wait."""
        self._limit = limit
        self._queue: deque[_Waiter] = deque()
        self._soon: deque[_Waiter] = deque()
        self._in_hand: list[_Waiter] = []

    def __len__(self) -> int:
        """Commands that wait to be taken."""
        return len(self._queue) + len(self._soon)

    def put(self, command: Command) -> asyncio.Future[Answer]:
        """Queue a command; the future has its answer. Raises LedgerRejected (QUEUE_FULL)."""
        if len(self) >= self._limit:
            text = f"{self._limit} commands wait already; try again soon"
            metadata = (("queue", "ledger"), ("limit", str(self._limit)))
            raise LedgerRejected(Rejection("QUEUE_FULL", text, metadata=metadata))
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        (self._soon if isinstance(command, _SOON) else self._queue).append((command, future))
        return future

    def take(self, most: int) -> list[Command]:
        """The next batch; the one before is let go."""
        soon = min(len(self._soon), max(most // 2, most - len(self._queue)))
        self._in_hand = [self._soon.popleft() for _ in range(soon)]
        self._in_hand += [self._queue.popleft() for _ in range(min(len(self._queue), most - soon))]
        return [command for command, _ in self._in_hand]

    def answer(self, answers: Sequence[Answer | Rejection]) -> None:
        """Answer the batch in hand; whoever has given up is passed over."""
        for (_, future), answer in zip(self._in_hand, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Rejection):
                future.set_exception(LedgerRejected(answer))
            else:
                future.set_result(answer)

    def refuse(self, in_hand: Rejection, queued: Rejection) -> None:
        """Refuse all: the batch in hand, of which it may be unknown what becomes of it, and what is queued."""
        for waiters, rejection in ((self._in_hand, in_hand), (self._soon, queued), (self._queue, queued)):
            for _, future in waiters:
                if not future.done():
                    future.set_exception(LedgerRejected(rejection))
        self._soon.clear()
        self._queue.clear()
