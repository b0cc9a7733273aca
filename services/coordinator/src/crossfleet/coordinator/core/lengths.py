"""Pending cases by their estimates: which is the longest that takes no more than so much."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Container, Iterable, Sequence
from math import inf


class Lengths:
    """Cases in ascending order of their estimates; of equal ones the first collected comes last. Taken ones are dropped late."""

    __slots__ = ("_estimates", "_order", "_pending")

    def __init__(self, estimates: Sequence[float], pending: Iterable[int]) -> None:
        """`pending` are indices into `estimates`."""
        self._estimates = estimates
        self._pending = set(pending)
        self._order = sorted((estimates[index], -index) for index in self._pending)

    def put(self, indices: Iterable[int]) -> None:
        """Cases are pending (again)."""
        for index in indices:
            if index not in self._pending:
                self._pending.add(index)
                entry = (self._estimates[index], -index)
                place = bisect_right(self._order, entry)
                if not place or self._order[place - 1] != entry:
                    insort(self._order, entry)

    def take(self, indices: Iterable[int]) -> None:
        """Cases are no longer pending."""
        self._pending.difference_update(indices)
        if 2 * len(self._pending) < len(self._order):
            self._order = [entry for entry in self._order if -entry[1] in self._pending]

    def shortest(self, allowed: Container[int] | None = None) -> int:
        """The shortest pending case; -1 where there is none."""
        for entry in self._order:
            index = -entry[1]
            if index in self._pending and (allowed is None or index in allowed):
                return index
        return -1

    def longest(self, at_most: float = inf, allowed: Container[int] | None = None) -> int:
        """The longest pending case of at most so many estimated seconds; -1 where there is none."""
        while self._order and -self._order[-1][1] not in self._pending:
            self._order.pop()
        for place in range(bisect_right(self._order, (at_most, inf)) - 1, -1, -1):
            index = -self._order[place][1]
            if index in self._pending and (allowed is None or index in allowed):
                return index
        return -1
