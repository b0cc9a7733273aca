"""Deadlines in words: whether one is likely to be met, and whether it was. Pure, but for the zone of this machine."""

from __future__ import annotations

from collections.abc import Sequence

from crossfleet.api.coordinator.v1.run_service_pb2 import Interval, TargetExplanation
from crossfleet.api.types.v1 import run_pb2
from crossfleet.cli.reporting.prospects import rough
from crossfleet.cli.reporting.times import local
from crossfleet.cli.running.view import duration


def seconds_left(run: run_pb2.Run, now: float) -> float:
    """How long a run that has a deadline has left, from `now` in unix seconds."""
    return run.deadline.ToNanoseconds() / 1e9 - now


def latest(targets: Sequence[TargetExplanation]) -> Interval | None:
    """When the last of some targets is expected to end; None where that cannot be told of each."""
    ends = [one.end_seconds for one in targets if one.HasField("end_seconds")]
    if len(ends) < len(targets) or not ends:
        return None
    return Interval(
        low=max(one.low for one in ends), middle=max(one.middle for one in ends), high=max(one.high for one in ends)
    )


def prospect(left: float, end: Interval | None) -> str:
    """`deadline in 2 h: likely to be met`, by when the run is expected to end; both in seconds from now."""
    if left <= 0:
        return f"its deadline has passed, {rough(-left)} ago"
    if end is None:
        likely = "whether it is met cannot be told"
    elif missed(left, end):
        likely = "will probably be missed"
    else:
        likely = "likely to be met" if end.high <= left else "may be missed"
    return f"deadline in {rough(left)}: {likely}"


def missed(left: float, end: Interval) -> bool:
    """Whether a deadline will rather be missed than met."""
    return end.middle > left


def kept(run: run_pb2.Run) -> str:
    """`missed its deadline, 2026-11-27 18:00:00+01:00, by 12 m 03 s`; empty where a run has none, or goes on."""
    if not run.HasField("deadline") or not run.HasField("finished_at"):
        return ""
    left = seconds_left(run, run.finished_at.ToNanoseconds() / 1e9)
    if left < 0:
        return f"missed its deadline, {local(run.deadline)}, by {duration(-left)}"
    return f"ended {duration(left)} before its deadline, {local(run.deadline)}"


def late(run: run_pb2.Run) -> bool:
    """Whether a run that has ended missed its deadline."""
    return run.HasField("deadline") and seconds_left(run, run.finished_at.ToNanoseconds() / 1e9) < 0
