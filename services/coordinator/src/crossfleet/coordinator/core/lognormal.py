"""Log-normal figures: what something is expected to last, and within what it likely lasts. All values are seconds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

LOW, MIDDLE, HIGH = 0.1, 0.5, 0.9
"""The parts of an interval: eight of ten true values lie between the outer two."""

# The tail of a wide log-normal is no knowledge: beyond this its mean says more of the width than of the seconds.
_WIDEST = 2.5
# And executions of one case that was measured differ by rare jolts, not by a tail.
_JOLTED = 0.7
_LEAST = 1e-9


@lru_cache(maxsize=256)
def score(part: float) -> float:
    """How many standard deviations above the middle that part of all values ends."""
    return NormalDist().inv_cdf(part)


@dataclass(frozen=True, slots=True)
class LogNormal:
    """Mean and standard deviation of the logarithm."""

    mu: float
    sigma: float

    @property
    def median(self) -> float:
        """As often more as less."""
        return math.exp(self.mu)

    @property
    def mean(self) -> float:
        """What many such add up to, divided by their number."""
        return math.exp(self.mu + min(self.sigma, _WIDEST) ** 2 / 2)

    @property
    def deviation(self) -> float:
        """The standard deviation in seconds."""
        return self.mean * math.sqrt(math.expm1(min(self.sigma, _WIDEST) ** 2))

    def quantile(self, part: float) -> float:
        """The seconds below which that part of all values lies."""
        return math.exp(self.mu + score(part) * self.sigma)

    @staticmethod
    def of(mean: float, deviation: float) -> LogNormal:
        """The one with this mean and standard deviation in seconds."""
        mean = max(mean, _LEAST)
        variance = math.log1p((deviation / mean) ** 2)
        return LogNormal(math.log(mean) - variance / 2, math.sqrt(variance))


def several(one: LogNormal, count: int, within: float) -> LogNormal:
    """What `count` like this one last in all. They differ by `within` among themselves, and err by the rest of it all alike."""
    alike = max(one.sigma**2 - within**2, 0.0)
    among = math.log1p(math.expm1(within**2) / count)
    return LogNormal(one.mu + math.log(count) + (within**2 - among) / 2, math.sqrt(alike + among))


def longest_of(one: LogNormal, count: int, within: float) -> LogNormal:
    """What the longest of `count` like this one lasts, that differ by `within` among themselves."""
    alike = max(one.sigma**2 - within**2, 0.0)
    # Blom's place of the greatest of so many normal values, and roughly how much it varies.
    highest = score((count - 0.375) / (count + 0.25)) if count > 1 else 0.0
    among = within**2 / (1 + 2 * math.log(count))
    return LogNormal(one.mu + highest * within, math.sqrt(alike + among))


def total(apart: Iterable[LogNormal], together: Iterable[Sequence[LogNormal]] = (), common: float = 0.0) -> LogNormal:
    """What many last one after the other (Fenton-Wilkinson: a sum of log-normals is nearly one).

    Those `apart` were measured and err each for itself, those of one sequence in `together` all alike. `common` is the standard deviation,
    as a part of the whole, of what they all have in common: a host that is busier than it was.
    """
    mean = variance = 0.0
    for one in apart:
        sure = LogNormal(one.mu, min(one.sigma, _JOLTED))
        mean += sure.mean
        variance += sure.deviation**2
    for alike in together:
        mean += sum(one.mean for one in alike)
        variance += sum(one.deviation for one in alike) ** 2
    return LogNormal.of(mean, math.sqrt(variance + (common * mean) ** 2))
