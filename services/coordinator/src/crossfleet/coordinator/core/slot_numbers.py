"""Numbers of a run's slots, whatever their worker and target: suites name what they share after them."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field


@dataclass(slots=True)
class SlotNumbers:
    """Ranges of numbers from 0 on. `end` is behind the highest that is taken, `gaps` are what is free below it, in order."""

    end: int = 0
    gaps: list[tuple[int, int]] = field(default_factory=list)

    def take(self, count: int) -> int:
        """The lowest number from which on so many are free; they are taken."""
        for place, (first, end) in enumerate(self.gaps):
            if end - first >= count:
                self.gaps[place : place + 1] = [(first + count, end)] if end - first > count else []
                return first
        first = self.end
        self.end += count
        return first

    def give_back(self, first: int, count: int) -> None:
        """So many from `first` on, which were taken together, are free again."""
        end = first + count
        place = bisect_left(self.gaps, (first, end))
        if place < len(self.gaps) and self.gaps[place][0] == end:
            end = self.gaps.pop(place)[1]
        if place and self.gaps[place - 1][1] == first:
            place -= 1
            first = self.gaps.pop(place)[0]
        if end == self.end:
            self.end = first
        else:
            self.gaps.insert(place, (first, end))
