"""When to dial again."""

from __future__ import annotations

from collections.abc import Callable


class Backoff:
    """Growing, jittered delays within a budget.

    At first `first` seconds, so that a worker that starts before its coordinator loses no time; then growing to
    `most`. A session that lived for `calm` seconds pays the budget back; shorter ones do not, so that a coordinator
    that accepts and drops is not stormed.
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
        """`random` answers numbers from 0 to 1; `quick` dials are made at the pace of `first`. Times in seconds."""
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
            base = self._first
        else:
            grown = self._growth ** min(self._failures - self._quick, 40)
            base = min(self._most, self._first * grown)
        return base * (1.0 + 1.5 * self._random())
