"""A schedule: when a stored submission is to become a run, and what becomes of times that cannot be kept."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Missed(IntEnum):
    """What becomes of times at which no coordinator led; numbers equal crossfleet.api.coordinator.v1.MissedPolicy."""

    SKIP = 1
    ONCE = 2
    ALL = 3


class Overlap(IntEnum):
    """What becomes of a time at which the run before still goes on; numbers equal crossfleet.api.coordinator.v1.OverlapPolicy."""

    SKIP = 1
    QUEUE = 2
    CANCEL = 3


@dataclass(frozen=True, slots=True)
class Schedule:
    """Times are unix seconds, 0.0 for none; those of `waiting`, `last_at` and `next_at` are nominal.

    `schedule_id` tells it from another one of its name. `next_at` is the first time that nothing was decided on,
    `waiting` are those that are to become runs. `last_run` is the last run that it made, for the time `last_at`;
    `note` what became of the last time that made none.
    """

    schedule_id: str
    name: str
    project: str
    cron: str
    timezone: str
    missed: Missed
    overlap: Overlap
    created_at: float
    next_at: float
    paused: bool = False
    waiting: tuple[float, ...] = ()
    last_at: float = 0.0
    last_run: str = ""
    note: str = ""
