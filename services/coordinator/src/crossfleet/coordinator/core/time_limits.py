"""Time limits of cases, learnt from how long they took: generous, since who is ended wrongly has failed wrongly."""

from __future__ import annotations

import math
from collections.abc import Sequence

from crossfleet.coordinator.core.duration_model import DurationModel
from crossfleet.coordinator.core.durations import LONGEST_SECONDS
from crossfleet.coordinator.core.lognormal import LogNormal

_PART, _TIMES = 0.99, 10.0
LEAST_SECONDS = 60.0
"""Below this no case is ended: a host may be busy, a fixture be set up for the first time."""


def time_limit(expected: LogNormal) -> float:
    """Whole seconds after which a case that is expected to last so long hangs."""
    return float(math.ceil(min(max(_TIMES * expected.quantile(_PART), LEAST_SECONDS), LONGEST_SECONDS)))


def time_limits(model: DurationModel, case_ids: Sequence[str]) -> tuple[float, ...]:
    """The limit of each case, 0.0 where it was never measured; empty where none was."""
    found = tuple(time_limit(model.expect(case_id)) if model.knows(case_id) else 0.0 for case_id in case_ids)
    return found if any(found) else ()
