"""What one slot of a pytest allocation has to do: attempts in order, and what waits for its next process."""

from __future__ import annotations

from collections import deque

from crossfleet.worker.shim.attempt import Attempt
from crossfleet.worker.shim.host import Host, Message

_AHEAD_SECONDS = 0.02
"""What follows is wanted this long before the slot would run dry: the way to the coordinator and back."""


class Agenda:
    """The ``attempts`` of a slot's process, and of the one that follows where it ends before them.

    ``last``: nothing follows these, so what is ordered after that waits for another process. ``asked``: what follows is wanted
    already, or nothing is needed.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._later: list[Message] = []
        self.attempts: deque[Attempt] = deque()
        self.last = False
        self.asked = True

    def add(self, attempt: Attempt, *, last: bool) -> None:
        """Have one more to do."""
        self.attempts.append(attempt)
        self.last = last
        self.asked = False

    def find(self, number: int) -> Attempt | None:
        """The attempt of a number, which mostly is the first."""
        first = self.attempts[0] if self.attempts else None
        if first is None or first.number == number:
            return first
        return next((one for one in self.attempts if one.number == number), None)

    def end(self, attempt: Attempt, cause: str, message: str = "", peak: int = 0, **extra: object) -> None:
        """Record the end of an attempt."""
        self._host.record(attempt.finished(cause, message, peak, **extra))
        self.attempts.remove(attempt)

    def end_all(self, cause: str, message: str) -> None:
        """Record the end of every attempt."""
        while self.attempts:
            self.end(self.attempts[0], cause, message)

    def let_wait(self, message: Message) -> None:
        """Keep an order for the next process."""
        self._later.append(message)

    @property
    def waiting(self) -> list[Message]:
        """The attempts that wait for the next process, as they were ordered."""
        return [message for message in self._later if message["op"] == "run"]

    def take_waiting(self) -> list[Message]:
        """All orders that wait; none does any more."""
        waiting, self._later = self._later, []
        return waiting

    def end_waiting(self, cause: str, message: str = "", number: int | None = None) -> None:
        """Record the ends of attempts that wait: of all, or of the one of that number."""
        for order in [one for one in self.waiting if number is None or one["attempt"] == number]:
            self._later.remove(order)
            self._host.record(Attempt(int(order["attempt"]), order["cases"], {}).finished(cause, message, 0))

    def runs_dry(self) -> bool:
        """Whether it is time to want what follows: as the last but one case runs, at the latest. Answers so once."""
        if self.asked or self.last or len(self.attempts) > 2:
            return False
        pending = sum(len(attempt.pending) for attempt in self.attempts)
        self.asked = pending <= 2 or pending * self._pace() < _AHEAD_SECONDS
        return self.asked

    def _pace(self) -> float:
        """Seconds per case in the attempt that runs; without one, too long to ask ahead."""
        attempt = self.attempts[0] if self.attempts else None
        if attempt is None or not attempt.count:
            return _AHEAD_SECONDS
        return (self._host.loop.now - attempt.began) / attempt.count
