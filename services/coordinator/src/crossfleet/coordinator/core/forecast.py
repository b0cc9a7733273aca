"""When work that waits will begin and end on slots that get free one after the other. Pure arithmetic, no case by case."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Work:
    """Work of one group: `seconds` of slots in all, `longest` of them in one piece, which begins after the part `turn` of the time.

    It begins once `least` slots are free together, after `setup` seconds on each, and uses up to `most`. What holds slots
    has begun: `held` of them, of which `back` are given back here, and the others elsewhere; for so many seconds each of
    them is `busy` with what it began before, and the others not.
    """

    seconds: float
    least: int = 1
    most: int = 1
    longest: float = 0.0
    setup: float = 0.0
    held: int = 0
    back: int = 0
    busy: Sequence[float] = ()
    turn: float = 0.0


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds from now. `slots` are used in the end; infinite where there will never be enough. `given`: what is free after it."""

    start: float
    end: float
    slots: int
    given: tuple[int, ...] = field(default=(), compare=False)


NEVER = Span(math.inf, math.inf, 0)


class Slots:
    """Slots by the moment at which each gets free. What gets free at once has one number."""

    def __init__(self, free: Iterable[tuple[float, int]]) -> None:
        """Pairs of seconds from now, and how many slots get free then."""
        self._heap: list[tuple[float, int]] = []
        self._amounts: list[int] = []
        self._times: list[float] = []
        for at, count in free:
            self.add(max(at, 0.0), count)

    def add(self, at: float, count: int) -> int:
        """So many more get free then; answers their number."""
        self._amounts.append(count)
        self._times.append(at)
        number = len(self._amounts) - 1
        if count > 0:
            heapq.heappush(self._heap, (at, number))
        return number

    def remove(self, numbers: Sequence[int]) -> bool:
        """They do not get free as was said; answers whether they were all still there."""
        if not all(self._amounts[number] for number in numbers):
            return False
        for number in numbers:
            self._amounts[number] = 0
        return True

    def hasten(self, numbers: Sequence[int], times: Sequence[float]) -> None:
        """Of these slots as many, the last ones, get free at these times, where that is sooner than was said."""
        before = sorted(self._times[number] for number in numbers for _ in range(self._amounts[number]))
        self.remove(numbers)
        before += [math.inf] * (len(times) - len(before))
        kept = len(before) - len(times)
        for at in (*before[:kept], *map(min, before[kept:], sorted(times))):
            self.add(at, 1)

    @property
    def count(self) -> int:
        """All of them."""
        return sum(self._amounts[number] for _, number in self._heap)

    def carry_out(self, work: Work) -> Span:
        """Give work the slots that get free first: each joins where it still helps, all of them end together."""
        own = _of_its_own(work)
        taken: list[tuple[float, int]] = []
        slots, most = work.held, max(work.most, work.least, work.held)
        while slots < work.least and self._next() < math.inf:
            slots += self._take(most - slots, taken)
        if slots < work.least:
            for at, count in taken:
                self.add(at, count)
            return NEVER
        # Those that were free before had to wait for the last of them.
        start = taken[-1][0] if taken else 0.0
        begun = start + work.setup
        joined, joining = slots - work.held, begun * (slots - work.held)
        place = 0
        while True:
            end = (joining + work.seconds) / joined if joined else math.inf
            mine = own[place] if place < len(own) else math.inf
            other = self._next() + work.setup if slots < most else math.inf
            if min(mine, other) >= end:
                break
            if mine <= other:
                joined, joining, place = joined + 1, joining + mine, place + 1
                continue
            more = self._take(most - slots, taken)
            slots, joined, joining = slots + more, joined + more, joining + other * more
        if not joined:
            return NEVER
        first = min(own[0] if own else math.inf, begun if slots > work.held or not own else math.inf)
        last = max(end, own[-1] if own else 0.0, first + (end - first) * work.turn + work.longest)
        later = [own[number * work.held // work.back] for number in range(work.back)]
        later = [at for at in later if at > end]
        given = [self.add(at, 1) for at in later]
        if slots - work.held + work.back > len(later):
            given.append(self.add(end, slots - work.held + work.back - len(later)))
        return Span(start, last, slots, tuple(given))

    def _next(self) -> float:
        """When the first of them gets free; infinite without any."""
        while self._heap and not self._amounts[self._heap[0][1]]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else math.inf

    def _take(self, most: int, taken: list[tuple[float, int]]) -> int:
        """The first that get free, at most so many."""
        at, number = heapq.heappop(self._heap)
        count, self._amounts[number] = self._amounts[number], 0
        if count > most:
            self.add(at, count - most)
        taken.append((at, min(count, most)))
        return min(count, most)


def _of_its_own(work: Work) -> list[float]:
    """When each of the slots that it holds is free for what is left, in order."""
    busy = sorted(work.busy, reverse=True)[: work.held]
    return [0.0] * (work.held - len(busy)) + busy[::-1]
