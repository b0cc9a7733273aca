"""A schedule: when a stored submission is to become a run, and what becomes of times that cannot be kept; its commands and facts."""

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


@dataclass(frozen=True, slots=True)
class CreateSchedule:
    """A person makes a schedule. `spec` is the RunSpec message that becomes its runs, opaque to the core."""

    schedule: Schedule
    spec: bytes
    replace: bool = False
    """Whether another one of that name may go."""


@dataclass(frozen=True, slots=True)
class PauseSchedule:
    """A person lets a schedule rest, or, with paused=False, go on at `next_at`, its next time (unix seconds)."""

    name: str
    paused: bool
    next_at: float


@dataclass(frozen=True, slots=True)
class DeleteSchedule:
    """A person removes a schedule."""

    name: str


@dataclass(frozen=True, slots=True)
class TimesCame:
    """Times of a schedule have come, from `seen` on, its `next_at` so far; `times` are those that are to become runs.

    `note` says what became of others. `next_at` comes next, 0.0: none does.
    """

    name: str
    schedule_id: str
    seen: float
    times: tuple[float, ...]
    next_at: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class ScheduleCreated:
    """There is a schedule, in the place of another one of its name. `spec` is stored apart."""

    schedule: Schedule
    spec: bytes


@dataclass(frozen=True, slots=True)
class ScheduleChanged:
    """Where a schedule stands now. Never names a run by `run_id`: it belongs to no run."""

    schedule: Schedule


@dataclass(frozen=True, slots=True)
class ScheduleDeleted:
    """There is no such schedule any more."""

    name: str


ScheduleFact = ScheduleCreated | ScheduleChanged | ScheduleDeleted
