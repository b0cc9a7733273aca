"""Commands that wait for their commit, and whoever waits for the answers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from crossfleet.coordinator.core.answers import Answer
from crossfleet.coordinator.core.commands import Command
from crossfleet.coordinator.core.emitter import Rejection


class LedgerRejected(Exception):
    """A command was refused; nothing was recorded for it. `rejection.reason` names an ErrorReason."""

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(rejection.message)
        self.rejection = rejection


_Waiter = tuple[Command, "asyncio.Future[Answer]"]


class Waiters:
    """A queue, and the batch that was taken from it last. Bounded."""

    def __init__(self, limit: int) -> None:
        """At most `limit` commands wait."""
        self._limit = limit
        self._queue: deque[_Waiter] = deque()
        self._in_hand: list[_Waiter] = []

    def __len__(self) -> int:
        """Commands that wait to be taken."""
        return len(self._queue)

    def put(self, command: Command) -> asyncio.Future[Answer]:
        """Queue a command; the future has its answer. Raises LedgerRejected (QUEUE_FULL)."""
        if len(self._queue) >= self._limit:
            text = f"{self._limit} commands wait already; try again soon"
            metadata = (("queue", "ledger"), ("limit", str(self._limit)))
            raise LedgerRejected(Rejection("QUEUE_FULL", text, metadata=metadata))
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._queue.append((command, future))
        return future

    def take(self, most: int) -> list[Command]:
        """The next batch; the one before is let go."""
        self._in_hand = [self._queue.popleft() for _ in range(min(len(self._queue), most))]
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
        for waiters, rejection in ((self._in_hand, in_hand), (self._queue, queued)):
            for _, future in waiters:
                if not future.done():
                    future.set_exception(LedgerRejected(rejection))
        self._queue.clear()
