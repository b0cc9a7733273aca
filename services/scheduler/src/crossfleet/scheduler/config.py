"""The settings of the scheduler."""

from typing import Annotated, Literal

import msgspec

from crossfleet.foundation.config import setting
from crossfleet.foundation.serve import ServerSettings


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Defaults < TOML file < CROSSFLEET_SCHEDULER_... < flags."""

    pending_seconds: Annotated[
        float,
        setting("How long a proposal counts as held while the coordinator has not answered it, in seconds.", ge=0.1),
    ] = 5.0
    refusal_seconds: Annotated[
        float, setting("How long a refused placement is not proposed again while nothing changes, in seconds.", ge=0.01)
    ] = 1.0
    patience_seconds: Annotated[
        float,
        setting(
            "How long a group waits at most behind higher priorities while its project holds nothing at its own, in "
            "seconds; then it gets its fewest slots next.",
            ge=1,
        ),
    ] = 1800.0
    reservations: Annotated[
        int, setting("How many large requests that do not fit keep workers for themselves at once.", ge=0, le=64)
    ] = 2
    preemption_gap: Annotated[
        int,
        setting(
            "By how much work must be more urgent to get, between two tasks, slots that others hold. 0: it waits.", ge=0
        ),
    ] = 0
    preemption_ratio: Annotated[
        float,
        setting(
            "A project that waits gets, between two tasks, slots of one that has this many times its share by their "
            "weights and keeps so much; less than 1 counts as 1. 0: it waits.",
            ge=0,
        ),
    ] = 0.0
    preemptions_per_hour: Annotated[
        int, setting("How many allocations are taken back in an hour at most.", ge=1, le=100_000)
    ] = 60
    log_format: Annotated[Literal["json", "console"], setting("Form of the log on standard error.")] = "json"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], setting("Least level that is logged.")] = "info"
    server: ServerSettings = ServerSettings()
