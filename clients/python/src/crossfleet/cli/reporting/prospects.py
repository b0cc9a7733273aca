"""What is expected of a run, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from crossfleet.api.coordinator.v1 import run_service_pb2 as wire
from crossfleet.api.types.v1 import run_pb2, suite_pb2
from crossfleet.cli.reporting.times import local

_SOON = 1.0
_MINUTE, _HOUR = 60.0, 3600.0


Skips = Mapping[str, Sequence[str]]
"""By target that may be skipped as unchanged, those that must leave the same as they did."""
_NO_SKIPS: Skips = {}


def estimated(answer: wire.EstimateRunResponse, deadline: str = "", skips: Skips = _NO_SKIPS) -> Iterator[str]:
    """The lines of an estimate, the most wanted first; `deadline` is what is to be said of one."""
    if answer.HasField("end_seconds"):
        yield f"ends {when(answer.end_seconds)}"
    if deadline:
        yield deadline
    if answer.HasField("start_seconds"):
        yield f"begins {when(answer.start_seconds)}"
    several = len(answer.targets) > 1
    for target in answer.targets:
        mark = f"{target.target}: " if several else ""
        if several and target.HasField("end_seconds"):
            yield f"{mark}begins {when(target.start_seconds)}; ends {when(target.end_seconds)}"
        for line in _target(target):
            yield mark + line
        if target.target in skips:
            yield mark + _skipped(target, skips[target.target])


def may_skip(answer: wire.EstimateRunResponse, spec: run_pb2.RunSpec) -> Skips:
    """Which targets a fleet took for skipped at the soonest: those that end no later than they begin."""
    compared = {
        one.name: [need.target for need in one.needs if need.when == suite_pb2.NEED_WHEN_CHANGED]
        for one in spec.targets
    }
    ends = [one for one in answer.targets if one.HasField("end_seconds") and one.HasField("work_seconds")]
    soon = [one.target for one in ends if one.end_seconds.low <= one.start_seconds.low]
    return {name: compared[name] for name in soon if compared.get(name) and not spec.policy.unchanged_too}


def _skipped(target: wire.TargetEstimate, needs: Sequence[str]) -> str:
    since = f"in {target.source_run_id}" if target.source_run_id else "when this passed last"
    several = len(needs) > 1
    return f"or nothing, if {' and '.join(needs)} {'leave' if several else 'leaves'} what {'they' if several else 'it'} left {since}"


def _target(target: wire.TargetEstimate) -> Iterator[str]:
    if target.alternative:
        yield f"by its alternative {target.alternative}"
    if target.waiting_reason:
        yield f"cannot begin as the fleet is now: {target.waiting_reason}"
    elif target.quota_wait:
        yield f"waits for its project's quota: {target.quota_wait}"
    elif target.queue.groups_ahead or target.start_seconds.high:
        yield _behind(target.queue)
    yield _cases(target)
    if target.unseen_cases:
        yield (
            f"{target.unseen_cases} of {_count(target.cases, 'case')} {_have(target.unseen_cases)} never been measured: "
            f"{rough(target.unseen_seconds)} assumed each, by the cases that they are like"
        )
    if target.skipped_cases:
        skipped = (
            "skipped itself last time, and takes"
            if target.skipped_cases == 1
            else "skipped themselves last time, and take"
        )
        yield f"{target.skipped_cases} of them {skipped} no time"
    if target.HasField("work_seconds"):
        setup = f", {rough(target.setup_seconds.middle)} before the first case"
        where = f" on {_count(target.slots, 'slot')}" if target.slots else ""
        yield f"{rough(target.work_seconds.middle)} of work{where}{setup}"


def _cases(target: wire.TargetEstimate) -> str:
    cases, run = _count(target.cases, "case"), target.source_run_id
    ended = f"{run}, which ended at {local(target.source_finished_at)}"
    if target.source == wire.CASE_SOURCE_NAMED:
        return f"{cases}, as collected here"
    if target.source == wire.CASE_SOURCE_LAST_RUN:
        return f"{cases}, as in {ended}"
    if target.source == wire.CASE_SOURCE_OTHER_RUN:
        return f"{cases}, as in {ended}; its arguments or targets were others, and so may be its cases"
    return (
        "no case is known: in this project no run of this suite has ended yet, so that only its beginning can be told"
    )


_STANDINGS = {
    wire.ALTERNATIVE_STANDING_OPEN: "counts",
    wire.ALTERNATIVE_STANDING_TAKEN: "is the one it runs on",
    wire.ALTERNATIVE_STANDING_PASSED: "is passed over",
}


def alternatives(target: wire.TargetExplanation) -> Iterator[str]:
    """How each alternative of a target stands, and when the next one comes in."""
    for one in target.alternatives:
        stands = _STANDINGS.get(one.standing, "comes later")
        if one.HasField("opens_in_seconds"):
            stands = f"counts in {rough(one.opens_in_seconds)}" if one.opens_in_seconds else "counts in a moment"
        fit = f"{_count(one.matching_workers, 'worker')} {'fits' if one.matching_workers == 1 else 'fit'}"
        why = f"; {one.cause}" if one.cause else ""
        yield f"alternative {one.number} {stands}: {one.selector or 'any worker'} ({fit}{why})"


def outlook(target: wire.TargetExplanation) -> Iterator[str]:
    """What comes nearest to a target of a run, what it is behind, and when it will begin and end."""
    shown = {clause.nearest_miss for clause in target.clauses}
    yield from (f"nearest: {miss}" for miss in target.nearest_misses if miss not in shown)
    if target.queue.slots:
        yield _behind(target.queue)
    if target.HasField("start_seconds"):
        yield f"begins {when(target.start_seconds)}"
    if target.HasField("end_seconds"):
        yield f"ends {when(target.end_seconds)}"
    elif target.queue.slots:
        yield "its end cannot be told: its cases are not known yet, and in its project no run of its suite has ended yet"


def _behind(queue: wire.QueuePlace) -> str:
    free = f"{queue.free_slots} of {_count(queue.slots, 'slot')} that it could use {_are(queue.free_slots)} free"
    place = f"place {queue.place} in the queue" if queue.groups_ahead else "next in the queue"
    if not queue.HasField("seconds_ahead"):
        return f"{place}; {free}"
    who = " and ".join(
        f"{_count(number, 'group')} {what}"
        for number, what in ((queue.groups_ahead, "ahead"), (queue.groups_running, "running"))
        if number
    )
    unknown = f" ({queue.unknown_ahead} of them never ran before: a guess)" if queue.unknown_ahead else ""
    return f"{place}: {who} with about {rough(queue.seconds_ahead.middle)} of slot time{unknown}; {free}"


def when(expected: wire.Interval) -> str:
    """`at once`, `within 9 s`, `in about 4 min, likely between 3 and 6 min`; what is surer than it can be said, without bounds."""
    if not expected.high:
        return "at once"
    if expected.middle < _SOON:
        return f"within {rough(expected.high) if expected.high >= _SOON else 'a second'}"
    low, middle, high = rough(expected.low), rough(expected.middle), rough(expected.high)
    if low == high:
        return f"in about {middle}"
    if low.split(" ")[1] == high.split(" ")[1]:
        low = low.split(" ")[0]
    return f"in about {middle}, likely between {low} and {high}"


def rough(seconds: float) -> str:
    """As exact as an estimate deserves: `0.4 s`, `12 s`, `3.5 min`, `25 min`, `2.1 h`."""
    for unit, size in (("h", _HOUR), ("min", _MINUTE)):
        if seconds >= 1.5 * size:
            return f"{_figures(seconds / size)} {unit}"
    return f"{_figures(seconds)} s"


def _figures(value: float) -> str:
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}".removesuffix(".0")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _have(number: int) -> str:
    return "has" if number == 1 else "have"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
