"""Schedules as they are asked for, and as they are answered."""

from __future__ import annotations

from crossfleet.api.coordinator.v1 import schedule_service_pb2 as wire
from crossfleet.coordinator.convert.checks import Checks
from crossfleet.coordinator.convert.runs import set_time, show_spec
from crossfleet.coordinator.core.schedule import Missed, Overlap, Schedule
from crossfleet.coordinator.schedules.cron import CronError, times

_SHOWN_TIMES = 5
_MOST_LABELS = 62


def schedule_from(given: wire.Schedule, schedule_id: str, now: float) -> Schedule:
    """A checked schedule, with defaults filled in. Raises InvalidArgument."""
    checks = Checks()
    checks.name(given.name, "schedule.name")
    checks.size(given.cron, "schedule.cron", 200)
    checks.size(given.timezone, "schedule.timezone", 100)
    checks.require(given.missed in wire.MissedPolicy.values(), "schedule.missed", _names(wire.MissedPolicy.keys()))
    checks.require(given.overlap in wire.OverlapPolicy.values(), "schedule.overlap", _names(wire.OverlapPolicy.keys()))
    missed = given.missed or wire.MISSED_POLICY_ONCE
    overlap = given.overlap or wire.OVERLAP_POLICY_SKIP
    alone = missed != wire.MISSED_POLICY_ALL or overlap == wire.OVERLAP_POLICY_QUEUE
    checks.require(
        alone, "schedule.missed", "ALL only with overlap QUEUE: runs that are made up for wait for each other"
    )
    checks.require(len(given.spec.labels) <= _MOST_LABELS, "schedule.spec.labels", f"at most {_MOST_LABELS}")
    once = given.spec.policy.HasField("deadline")
    checks.require(
        not once, "schedule.spec.policy.deadline", "given as deadline_in: each run of a schedule has its own"
    )
    next_at = 0.0
    try:
        next_at = next(times(given.cron, given.timezone, now), 0.0)
        checks.require(bool(next_at), "schedule.cron", f"an expression that has a time: {given.cron!r} never comes")
    except CronError as error:
        checks.require(False, f"schedule.{error.field}", str(error))
    checks.finish("the schedule")
    return Schedule(
        schedule_id=schedule_id,
        name=given.name,
        project=given.spec.project or "default",
        cron=given.cron,
        timezone=given.timezone or "UTC",
        missed=Missed(missed),
        overlap=Overlap(overlap),
        created_at=now,
        next_at=next_at,
    )


def schedule_message(schedule: Schedule, now: float, spec: bytes = b"") -> wire.Schedule:
    """A schedule as it stands, with what it submits where that is given."""
    message = wire.Schedule(
        name=schedule.name,
        cron=schedule.cron,
        timezone=schedule.timezone,
        paused=schedule.paused,
        last_run_id=schedule.last_run,
        note=schedule.note,
    )
    message.missed = int(schedule.missed)  # type: ignore[assignment]
    message.overlap = int(schedule.overlap)  # type: ignore[assignment]
    set_time(message.created_at, schedule.created_at)
    set_time(message.last_time, schedule.last_at)
    for at in schedule.waiting:
        set_time(message.waiting_times.add(), at)
    for at in _next_times(schedule, now):
        set_time(message.next_times.add(), at)
    if spec:
        show_spec(message.spec, spec)
    return message


def _next_times(schedule: Schedule, now: float) -> list[float]:
    if schedule.paused or not schedule.next_at:
        return []
    found = [schedule.next_at]
    try:
        coming = times(schedule.cron, schedule.timezone, max(schedule.next_at, now))
        found += [at for at, _ in zip(coming, range(_SHOWN_TIMES - 1), strict=False)]
    except CronError:
        pass  # its note says so when its time comes
    return found


def _names(names: list[str]) -> str:
    return f"one of {', '.join(names)}"
