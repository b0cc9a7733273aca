"""When to dial again."""

from __future__ import annotations

from collections.abc import Callable


class Backoff:
    """Growing delays, each drawn from nothing to all of it, so that those who lost one coordinator do not come as one.

    Before that come `quick` dials at the pace of `first`: a worker that starts before the coordinator of its own
    machine loses no time. A session that lived for `calm` seconds begins it all anew; shorter ones do not, so that a
    coordinator that accepts and drops is not stormed.
    """

    def __init__(
        self,
        random: Callable[[], float],
        *,
        first: float = 0.02,
        quick: int = 50,
        growth: float = 1.5,
        most: float = 2.0,
        calm: float = 5.0,
    ) -> None:
        """`random` answers numbers from 0 to 1. The delay grows from `first` to `most`. Times in seconds."""
        self._random = random
        self._first = first
        self._quick = quick
        self._growth = growth
        self._most = most
        self._calm = calm
        self._failures = 0

    def lived(self, seconds: float) -> None:
        """A session has ended after this time."""
        if seconds >= self._calm:
            self._failures = 0

    def answered(self) -> None:
        """Somebody was there and refused: being quick gains nothing from now on."""
        self._failures = max(self._failures, self._quick)

    @property
    def patient(self) -> bool:
        """Whether the dials at the quick pace are used up."""
        return self._failures >= self._quick

    def next(self) -> float:
        """Seconds to wait before the next dial."""
        self._failures += 1
        if self._failures <= self._quick:
            return self._first * (1.0 + 1.5 * self._random())
        grown = self._growth ** min(self._failures - self._quick, 40)
        return self._random() * min(self._most, self._first * grown)

    def told(self, seconds: float) -> float:
        """Seconds to wait before the next dial where somebody answered, and said when to come again."""
        return seconds * (1.0 + self._random())

    def hop(self) -> float:
        """Seconds to wait before dialling a leader that was named: as after a first failure, and none is counted."""
        return self._random() * min(self._most, self._first * self._growth)
