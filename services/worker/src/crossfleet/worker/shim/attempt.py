"""What is left of an attempt on a slot."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from crossfleet.worker.shim.host import Message


class Attempt:
    """Cases of one task, in order, and those without a result yet."""

    __slots__ = ("began", "cancelled", "count", "limits", "number", "pending", "sent", "started")

    def __init__(self, number: int, cases: Iterable[int], limits: dict[str, float]) -> None:
        self.number = number
        self.pending = deque(cases)
        self.limits = limits
        self.sent = False
        self.started = False
        self.cancelled = False
        self.began = 0.0
        self.count = 0

    def done(self, case: int) -> None:
        """A result for ``case`` has come. Unknown cases are ignored."""
        self.count += 1
        if self.pending and self.pending[0] == case:
            self.pending.popleft()
        elif case in self.pending:
            self.pending.remove(case)

    def finished(self, cause: str, message: str, peak: int, **extra: object) -> Message:
        """Return the message that ends this attempt; cases without a result are named in ``left``."""
        ended: Message = {
            "op": "finished",
            "attempt": self.number,
            "cause": cause,
            "message": message,
            "peak_memory_bytes": peak,
            **extra,
        }
        if self.pending:
            ended["left"] = list(self.pending)
        return ended
