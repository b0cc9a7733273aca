"""How long things are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec

from crossfleet.coordinator.core.departing import Memory
from crossfleet.foundation.config import setting

_DAY = 86_400.0
HOUR = 3_600.0


class RetentionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Ages in days, 0: for ever. Open runs, and what they need, stay whatever this says."""

    days: Annotated[float, setting("Finished runs are kept for so many days. 0: for ever.", ge=0)] = 90.0
    runs: Annotated[int, setting("At most so many runs are kept. 0: no limit.", ge=0)] = 0
    artifact_days: Annotated[
        float, setting("Artifacts and workspaces of finished runs are kept for so many days. 0: with their run.", ge=0)
    ] = 30.0
    log_days: Annotated[
        float, setting("Output of finished runs is kept for so many days. 0: with their run.", ge=0)
    ] = 30.0
    grace_hours: Annotated[
        float, setting("What was uploaded is kept for so long, whether or not a run names it.", ge=0.01)
    ] = 24.0
    lost_worker_hours: Annotated[
        float, setting("Workers that were lost are remembered for so many hours. 0: for ever.", ge=0)
    ] = 24.0
    left_worker_hours: Annotated[
        float, setting("Workers that left in good order are remembered for so many hours. 0: for ever.", ge=0)
    ] = 1.0
    every_minutes: Annotated[float, setting("How often it is looked for what goes.", ge=0.01)] = 60.0


@dataclass(frozen=True, slots=True)
class Horizon:
    """What the policy means at one moment, in unix seconds; minus infinity where nothing goes by age."""

    runs_before: float
    artifacts_before: float
    logs_before: float
    uploads_before: float
    workers: Memory


def horizon(policy: RetentionSettings, now: float) -> Horizon:
    """The horizon of a policy. Nothing of a run outlives it."""
    runs, lost = _before(policy.days, now), _before(policy.lost_worker_hours, now, HOUR)
    return Horizon(
        runs,
        max(runs, _before(policy.artifact_days, now)),
        max(runs, _before(policy.log_days, now)),
        now - policy.grace_hours * HOUR,
        Memory(_before(policy.left_worker_hours, now, HOUR), lost, min(runs, lost)),
    )


def _before(age: float, now: float, unit: float = _DAY) -> float:
    return now - age * unit if age else float("-inf")
