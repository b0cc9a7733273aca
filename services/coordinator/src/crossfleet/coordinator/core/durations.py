"""How long a case takes: a log-normal per case and device class with exponential forgetting.

Unknown cases borrow the mean of their file, then of their suite, then a constant. All values are seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

UNKNOWN_SECONDS = 0.01
"""What a case is taken to last when pieces are cut and nothing at all is known."""

LONGEST_SECONDS = 7 * 86_400.0
"""More than this no case is taken to last, whoever says so: a week."""

_SHORTEST = 1e-5
# Each new observation keeps four fifths of the weight of what was before: about five runs are remembered.
_KEPT = 0.8


@dataclass(frozen=True, slots=True)
class Duration:
    """What is known of one case: mean and variance of the logarithm of its seconds, and the weight of that knowledge."""

    mean: float
    variance: float
    weight: float

    @property
    def seconds(self) -> float:
        """The median."""
        return math.exp(self.mean)

    @property
    def executions(self) -> float:
        """How many equally heavy executions would tell as much: one at first, nine for ever after many."""
        return self.weight * (1 + _KEPT) / (2 - self.weight * (1 - _KEPT))


def observe(known: Duration | None, seconds: float) -> Duration:
    """The model after one more execution, older ones weighing less (West's weighted update, with decay)."""
    value = math.log(max(seconds, _SHORTEST))
    if known is None:
        return Duration(value, 0.0, 1.0)
    kept = known.weight * _KEPT
    weight = kept + 1.0
    shift = value - known.mean
    mean = known.mean + shift / weight
    variance = (kept * known.variance + shift * (value - mean)) / weight
    return Duration(mean, variance, weight)


def fill_unknown(estimates: Sequence[float], keys: Sequence[str]) -> tuple[list[float], bool]:
    """An estimate for every case, and whether most were known.

    `estimates` may be empty or hold 0.0 for unknown cases; `keys[i]` names the file of case i. A file's mean is shrunk
    towards the suite's by one observation's worth.
    """
    if not estimates:
        return [UNKNOWN_SECONDS] * len(keys), False
    known = [seconds for seconds in estimates if seconds > 0]
    if len(known) == len(keys) and min(known) >= _SHORTEST:
        return known, True
    suite = sum(known) / len(known) if known else UNKNOWN_SECONDS
    sums: dict[str, float] = {}
    counts: dict[str, int] = {}
    for seconds, key in zip(estimates, keys, strict=True):
        if seconds > 0:
            sums[key] = sums.get(key, 0.0) + seconds
            counts[key] = counts.get(key, 0) + 1
    filled = [
        seconds if seconds > 0 else (sums.get(key, 0.0) + suite) / (counts.get(key, 0) + 1)
        for seconds, key in zip(estimates, keys, strict=True)
    ]
    return [max(seconds, _SHORTEST) for seconds in filled], 2 * len(known) > len(keys)
