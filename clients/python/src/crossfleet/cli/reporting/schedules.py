"""Schedules as people read them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from google.protobuf.timestamp_pb2 import Timestamp

from crossfleet.api.coordinator.v1 import schedule_service_pb2 as wire
from crossfleet.cli.reporting.times import local
from crossfleet.foundation.words import word


def coming(schedule: wire.Schedule) -> str:
    """The next time, by the clocks of the schedule's zone, or why there is none."""
    if schedule.paused:
        return "paused"
    return at(schedule, schedule.next_times[0]) if schedule.next_times else "never again"


def at(schedule: wire.Schedule, moment: Timestamp) -> str:
    """`2026-11-27 03:00:00+01:00 (Europe/Berlin)`; this machine's clock where it does not know the zone."""
    try:
        zone = ZoneInfo(schedule.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return local(moment)
    shown = datetime.fromtimestamp(moment.seconds, zone).isoformat(" ", "seconds")
    return f"{shown} ({schedule.timezone})"


def policy(schedule: wire.Schedule) -> tuple[str, str]:
    """Words for what becomes of missed times, and of those at which the run before goes on."""
    return word(wire.MissedPolicy, schedule.missed), word(wire.OverlapPolicy, schedule.overlap)
