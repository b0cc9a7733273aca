"""The leader's task that lets schedules notice that their times have come, and submits their runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from crossfleet.api.types.v1 import run_pb2
from crossfleet.coordinator.core.commands import Command, SubmitRun, SubmitScheduled
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.schedule import Schedule, TimesCame
from crossfleet.coordinator.core.scheduling import open_run
from crossfleet.coordinator.schedules.cron import CronError, due
from crossfleet.foundation.clock import Clock
from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.logs import get_logger

_SECONDS = 1.0
# What keeps a run from being submitted may pass, as where the scheduler is not connected yet.
_PATIENCE_SECONDS = 60.0

Commit = Callable[[Command], Awaitable[Any]]
Prepare = Callable[[str, run_pb2.RunSpec], Awaitable[SubmitRun]]


async def keep_schedules(state: Callable[[], State], commit: Commit, prepare: Prepare, clock: Clock) -> None:
    """Looks once a second, until cancelled. `prepare` checks a submission and makes its command, by a request id."""
    tried: dict[tuple[str, float], float] = {}
    while True:
        for schedule in list(state().schedules.values()):
            try:
                if not schedule.paused:
                    await _keep(schedule, state, commit, prepare, clock, tried)
            except CrossfleetError as error:
                get_logger().warning("a schedule could not be kept", schedule=schedule.name, error=str(error))
        await clock.sleep(_SECONDS)


async def _keep(
    schedule: Schedule,
    state: Callable[[], State],
    commit: Commit,
    prepare: Prepare,
    clock: Clock,
    tried: dict[tuple[str, float], float],
) -> None:
    if schedule.next_at and schedule.next_at <= clock.now():
        await commit(await asyncio.to_thread(_came, schedule, clock.now()))
    found = state().schedules.get(schedule.name)
    if found is None or not found.waiting or open_run(state(), found) is not None:
        return
    schedule, name, at = found, found.name, found.waiting[0]
    begun = tried.setdefault((schedule.schedule_id, at), clock.monotonic())
    submit, note = None, ""
    try:
        spec = run_pb2.RunSpec.FromString(state().schedule_specs[name])
        spec.labels["schedule"], spec.labels["scheduled_for"] = name, written(at)
        submit = await prepare(request_id(schedule, at), spec)
    except CrossfleetError as error:
        if error.retry_after is not None or clock.monotonic() - begun < _PATIENCE_SECONDS:
            return
        note = str(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, one schedule must not end leader after leader
        get_logger().error("a schedule's submission is broken", schedule=name, exc_info=error)
        note = f"{type(error).__name__}: {error}"
    await commit(SubmitScheduled(name, schedule.schedule_id, at, submit, note))
    del tried[schedule.schedule_id, at]


def _came(schedule: Schedule, now: float) -> TimesCame:
    try:
        decided = due(schedule.cron, schedule.timezone, schedule.next_at, now, schedule.missed)
    except CronError as error:
        decided = (), 0.0, f"its times cannot be told any longer: {error}"
    return TimesCame(schedule.name, schedule.schedule_id, schedule.next_at, *decided)


def request_id(schedule: Schedule, at: float) -> str:
    """By which the run of a time is submitted: the same whoever leads, so that there is one."""
    return f"{schedule.schedule_id}-{int(at)}"


def written(at: float) -> str:
    """A time as in the label of its run."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
