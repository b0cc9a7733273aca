"""What runs of a suite take beside its cases, as its last runs show: until the first case begins, and between cases."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from crossfleet.coordinator.core.durations import Duration, observe
from crossfleet.coordinator.core.lognormal import LogNormal

UNKNOWN_SETUP = LogNormal(math.log(2.0), 1.0)
"""Of a suite that never ran: an environment that is there, a collection of some seconds."""

# So much do two runs of the same cases differ as a whole, and so many runs does that weigh.
_COMMON, _COMMON_WEIGHT = 0.25, 2.0
_LEAST_SETUP_VARIANCE, _SETUP_WEIGHT = 0.15**2, 1.0


@dataclass(frozen=True, slots=True)
class PastGroup:
    """A group of an earlier run of the suite. All in seconds.

    `seconds` of its cases, `slot_seconds` from the first to the last moment at which each slot had some, `setup_seconds`
    from its first slots to its first case.
    """

    digest: str
    cases: int
    seconds: float
    slot_seconds: float
    setup_seconds: float


@dataclass(frozen=True, slots=True)
class Overheads:
    """`setup` before the first case; `overhead` of a slot for each case; `common`: the part by which whole runs differ."""

    setup: LogNormal = UNKNOWN_SETUP
    overhead: float = 0.0
    common: float = _COMMON


def overheads(past: Sequence[PastGroup]) -> Overheads:
    """From the last groups, the newest last."""
    if not past:
        return Overheads()
    setup = Duration(UNKNOWN_SETUP.mu, 0.0, 0.0)
    for one in past:
        setup = observe(setup, one.setup_seconds)
    count = setup.executions
    variance = (count * setup.variance + _SETUP_WEIGHT * UNKNOWN_SETUP.sigma**2) / (count + _SETUP_WEIGHT)
    executed = sum(one.cases for one in past)
    beside = sum(max(one.slot_seconds - one.seconds, 0.0) for one in past)
    return Overheads(
        LogNormal(setup.mean, math.sqrt(max(variance, _LEAST_SETUP_VARIANCE))),
        beside / executed if executed else 0.0,
        common([one.seconds for one in past if one.seconds > 0 and one.digest == past[-1].digest]),
    )


def common(totals: Sequence[float]) -> float:
    """The part by which the same cases as a whole differ from run to run: hosts are busier one day than another."""
    logs = [math.log(one) for one in totals]
    mean = sum(logs) / len(logs) if logs else 0.0
    squares = sum((one - mean) ** 2 for one in logs) + _COMMON_WEIGHT * _COMMON**2
    return math.sqrt(squares / (max(len(logs) - 1, 0) + _COMMON_WEIGHT))
