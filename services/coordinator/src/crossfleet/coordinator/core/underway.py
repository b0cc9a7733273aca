"""A case that executes now: what is left of it, given that it has lasted so long already."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from crossfleet.coordinator.core.chance import Chance
from crossfleet.coordinator.core.lognormal import HIGH, LOW, MIDDLE, LogNormal, score, total

# What lasts longer than 98 of 100 should is no longer what was expected: of its excess nothing else is known.
_LATE = 0.98
_LEAST = 1e-300
_LEAST_SECONDS = 1e-6
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Underway:
    """What a case was expected to take, and the seconds for which it has run. `name` is that of its slot.

    What waits `behind` it there, if anything does, is done before the slot is free.
    """

    name: str
    expected: LogNormal
    elapsed: float
    behind: LogNormal | None = None

    def left(self, part: float) -> float:
        """The seconds below which what is left of it lies in that part of all cases.

        What has lasted too long will last as long again, as often more as less.
        """
        expected, elapsed = self.expected, self.elapsed
        if elapsed <= 0:
            return expected.quantile(part)
        still = _longer(expected, elapsed) * (1 - part)
        end = math.exp(expected.mu - _NORMAL.inv_cdf(still) * expected.sigma) if still > _LEAST else 0.0
        late = max(elapsed - expected.quantile(_LATE), 0.0)
        return max(end - elapsed, 0.0) + late * (1 / (1 - part) - 1)

    def free_after(self, chance: Chance) -> float:
        """The seconds until its slot is free, in one draw."""
        seconds = self.left(chance.of(self.name))
        return seconds + self.behind.quantile(chance.of(f"{self.name} behind")) if self.behind is not None else seconds

    def about(self) -> LogNormal:
        """What the slot has to do yet, roughly."""
        low, middle, high = (max(self.left(part), _LEAST_SECONDS) for part in (LOW, MIDDLE, HIGH))
        own = LogNormal(math.log(middle), math.log(high / low) / (score(HIGH) - score(LOW)))
        return own if self.behind is None else total([], [[own], [self.behind]])


def _longer(expected: LogNormal, seconds: float) -> float:
    """The part of all cases that last longer."""
    return 0.5 * math.erfc((math.log(seconds) - expected.mu) / expected.sigma / math.sqrt(2))
