"""The cases of a group that wait, the longest first, and how many of them a slot gets at once."""

from __future__ import annotations

from array import array
from bisect import insort
from collections.abc import Iterable

# As the coordinator's dispatcher cuts where durations are known: half of a slot's fair part, within bounds in seconds.
_DIVISOR = 2.0
SHORTEST_PIECE = 0.03
LONGEST_PIECE = 5.0


class Cases:
    """Seconds of each case on a slot of speed 1. `seconds` is their sum."""

    def __init__(self, seconds: Iterable[float]) -> None:
        """All of them wait."""
        self._waiting = array("d", sorted(seconds))
        self.seconds = sum(self._waiting)
        self.longest = self._waiting[-1] if self._waiting else 0.0

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def cut(self, speed: float, total_speed: float) -> tuple[float, ...]:
        """Take the cases of a slot's next task, the longest first. `total_speed` sums the slots of the group."""
        fair = self.seconds * min(speed / total_speed, 1.0)
        size = min(max(fair / _DIVISOR, SHORTEST_PIECE * speed), max(self.longest, LONGEST_PIECE * min(speed, 1.0)))
        taken: list[float] = []
        got = 0.0
        while self._waiting and (not taken or got + self._waiting[-1] / 2 <= size):
            taken.append(self._waiting.pop())
            got += taken[-1]
        self.seconds = self.seconds - got if self._waiting else 0.0
        return tuple(taken)

    def put(self, seconds: Iterable[float]) -> None:
        """Cases wait again."""
        for one in seconds:
            insort(self._waiting, one)
            self.seconds += one
