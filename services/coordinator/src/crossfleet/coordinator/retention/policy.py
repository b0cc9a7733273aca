"""How long things are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec

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
    every_minutes: Annotated[float, setting("How often it is looked for what goes.", ge=0.01)] = 60.0


@dataclass(frozen=True, slots=True)
class Horizon:
    """What the policy means at one moment, in unix seconds; minus infinity where nothing goes by age."""

    runs_before: float
    artifacts_before: float
    logs_before: float
    uploads_before: float


def horizon(policy: RetentionSettings, now: float) -> Horizon:
    """The horizon of a policy. Nothing of a run outlives it."""
    runs = _before(policy.days, now)
    return Horizon(
        runs,
        max(runs, _before(policy.artifact_days, now)),
        max(runs, _before(policy.log_days, now)),
        now - policy.grace_hours * HOUR,
    )


def _before(days: float, now: float) -> float:
    return now - days * _DAY if days else float("-inf")
