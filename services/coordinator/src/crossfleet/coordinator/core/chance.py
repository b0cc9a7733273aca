"""Draws of what is not known: the same numbers each time, spread evenly over all that may be.

What one question depends on is drawn as often as is worth it, each time with other numbers for each thing of which it is unsure.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from statistics import median

from crossfleet.coordinator.core.lognormal import HIGH, LOW

# Primes, so that each thing goes through its parts in an order of its own.
_MANY, _SOME, _FEW = 41, 23, 11
_CROWD, _MULTITUDE = 200, 600


def draws(things: int) -> int:
    """How often to draw where a draw looks at so many things."""
    return _MANY if things <= _CROWD else _SOME if things <= _MULTITUDE else _FEW


class Chance:
    """One draw of `count`: the part of all cases in which each thing is less than it is this time."""

    __slots__ = ("_count", "number")

    def __init__(self, number: int, count: int) -> None:
        """`number` from 0."""
        self.number, self._count = number, count

    def of(self, thing: str) -> float:
        """Between 0 and 1; over all draws of a thing each part comes once."""
        seed = zlib.crc32(thing.encode())
        step = 1 + seed % (self._count - 1)
        return ((self.number * step + (seed >> 16)) % self._count + 0.5) / self._count


def chances(count: int) -> list[Chance]:
    """All draws of so many."""
    return [Chance(number, count) for number in range(count)]


def bounds(drawn: Sequence[float]) -> tuple[float, float, float]:
    """Low, middle and high of what was drawn: eight of ten lie between the outer two. Raises ValueError without any."""
    ordered = sorted(drawn)
    return _at(ordered, LOW), median(ordered), _at(ordered, HIGH)


def _at(ordered: Sequence[float], part: float) -> float:
    """The value below which that part of them lies, each standing for its share of all."""
    place = min(max(part * len(ordered) - 0.5, 0.0), len(ordered) - 1.0)
    before = int(place)
    after = min(before + 1, len(ordered) - 1)
    if ordered[before] == ordered[after]:
        return ordered[before]  # also where both are infinite
    return ordered[before] + (ordered[after] - ordered[before]) * (place - before)
