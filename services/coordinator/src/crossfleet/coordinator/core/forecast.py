"""When work that waits will begin and end on slots that get free one after the other. Pure arithmetic, no case by case."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Work:
    """Work of one group: `seconds` of slots in all, at least `longest` from its first case on.

    It begins once `least` slots are free together, after `setup` seconds on each, and uses up to `most`. What holds slots
    has begun: `held` of them, of which `back` are given back here, and the others elsewhere.
    """

    seconds: float
    least: int = 1
    most: int = 1
    longest: float = 0.0
    setup: float = 0.0
    held: int = 0
    back: int = 0


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds from now. `slots` are used in the end; infinite where there will never be enough."""

    start: float
    end: float
    slots: int


NEVER = Span(math.inf, math.inf, 0)


class Slots:
    """Slots by the moment at which each gets free."""

    def __init__(self, free: Iterable[tuple[float, int]]) -> None:
        """Pairs of seconds from now, and how many slots get free then."""
        self._heap = [(max(at, 0.0), count) for at, count in free if count > 0]
        heapq.heapify(self._heap)

    def add(self, at: float, count: int) -> None:
        """So many more get free then."""
        if count:
            heapq.heappush(self._heap, (at, count))

    def remove(self, at: float, count: int) -> bool:
        """So many less get free then; answers whether they were still there."""
        if (at, count) not in self._heap:
            return False
        self._heap.remove((at, count))
        heapq.heapify(self._heap)
        return True

    @property
    def count(self) -> int:
        """All of them."""
        return sum(count for _, count in self._heap)

    def carry_out(self, work: Work) -> Span:
        """Give work the slots that get free first: each joins where it still helps, all end together."""
        taken: list[tuple[float, int]] = [(0.0, work.held)]
        slots, most = work.held, max(work.most, work.least, work.held)
        while slots < work.least and self._heap:
            slots += self._take(most - slots, taken)
        if slots < work.least:
            self._give_back(taken[1:])
            return NEVER
        start = taken[-1][0]
        # Those that were free before had to wait for the last of them.
        begun = start + work.setup
        end = begun + work.seconds / slots
        while slots < most and self._heap and self._heap[0][0] + work.setup < end:
            at = self._heap[0][0] + work.setup
            more = self._take(most - slots, taken)
            end = (end * slots + at * more) / (slots + more)
            slots += more
        last = max(end, begun + work.longest)
        # What has begun is taken to keep its slots to its end: what its last case needs not it gives back, but at times of its own.
        self.add(last if work.held else end, slots - work.held + work.back)
        return Span(start, last, slots)

    def _take(self, most: int, taken: list[tuple[float, int]]) -> int:
        """The first that get free, at most so many."""
        at, count = heapq.heappop(self._heap)
        if count > most:
            heapq.heappush(self._heap, (at, count - most))
        taken.append((at, min(count, most)))
        return min(count, most)

    def _give_back(self, taken: list[tuple[float, int]]) -> None:
        for one in taken:
            heapq.heappush(self._heap, one)
