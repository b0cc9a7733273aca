"""Plays all checks at one scheduler, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

import grpc

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.api.scheduler.v1.scheduler_service_pb2_grpc import SchedulerServiceStub
from crossfleet.client.conformance.check import Check, Description, Level, Step
from crossfleet.client.conformance.checks import CHECKS
from crossfleet.client.conformance.coordinator import Coordinator, Wrong
from crossfleet.client.conformance.expecting import Holds
from crossfleet.client.conformance.rows import group, worker
from crossfleet.client.conformance.stage import Pace, Stage
from crossfleet.client.conformance.stream import Stream, StreamEnded
from crossfleet.foundation.clock import Clock, SystemClock
from crossfleet.foundation.errors import InvalidArgument
from crossfleet.foundation.errors.status import error_from_rpc

_DESCRIBE_SECONDS = 10.0
_REDIALS, _REDIAL_SECONDS = 4, 0.2
_LINES = 12
_LEAST_QUIET, _MOST_QUIET = 0.1, 2.0


class Verdict(StrEnum):
    """What became of a check."""

    PASSED = "passed"
    WARNED = "warned"
    """Something that should be is not."""
    FAILED = "failed"
    """Something that must be is not."""
    SKIPPED = "skipped"
    """It does not apply to this scheduler."""


@dataclass(frozen=True)
class Finding:
    """A check, what became of it, what was wrong, and the last updates and plans before that."""

    check: Check
    verdict: Verdict
    wrongs: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class Report:
    """Who was checked, and the findings in order."""

    described: scheduler_pb2.DescribeResponse
    findings: tuple[Finding, ...]

    def count(self, verdict: Verdict) -> int:
        """How many checks became that."""
        return sum(one.verdict is verdict for one in self.findings)


def chosen(names: Sequence[str]) -> tuple[Check, ...]:
    """The checks of these names or families, in order; all without names. Raises InvalidArgument for an unknown name."""
    known = {one.name for one in CHECKS} | {one.family for one in CHECKS}
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, 1)
            families = ", ".join(dict.fromkeys(one.family for one in CHECKS))
            hint = f"did you mean {near[0]}?" if near else f"families: {families}"
            raise InvalidArgument(f"there is no check or family {name!r}; {hint}")
    return tuple(one for one in CHECKS if not names or one.name in names or one.family in names)


async def examine(
    channel: grpc.aio.Channel,
    checks: Sequence[Check] = CHECKS,
    *,
    limit: float = 5.0,
    clock: Clock | None = None,
    on_finding: Callable[[Finding], None] = lambda finding: None,
) -> Report:
    """Play checks and judge them. `limit`: how long an expected plan is waited for, in seconds.

    Raises the CrossfleetError that Describe answered, where it does not answer at all.
    """
    stub, time = SchedulerServiceStub(channel), clock or SystemClock()
    described = await _described(stub, time)
    able = frozenset(described.first.abilities) | (frozenset() if described.first.snapshots_only else {"deltas"})
    pace = await _pace(stub, time, limit, described.first)
    findings = []
    for check in checks:
        began = time.monotonic()
        if check.describes is not None:
            text = check.describes(described)
            found = _finding(check, [Wrong(text)] if text else [], [])
        elif not check.needs <= able:
            found = Finding(check, Verdict.SKIPPED, (f"it has no {', '.join(sorted(check.needs - able))}",))
        else:
            coordinator = Coordinator(described.first, first_revision=check.first_revision)
            await Stage(stub, coordinator, time, pace).play(check.steps)
            found = _finding(check, coordinator.wrongs, coordinator.lines)
        findings.append(replace(found, seconds=time.monotonic() - began))
        on_finding(findings[-1])
    return Report(described.first, tuple(findings))


def _finding(check: Check, wrongs: Sequence[Wrong], lines: Sequence[str]) -> Finding:
    if not wrongs:
        return Finding(check, Verdict.PASSED)
    failed = any((one.level or check.level) is Level.MUST for one in wrongs)
    texts = tuple(dict.fromkeys(one.text for one in wrongs))
    return Finding(check, Verdict.FAILED if failed else Verdict.WARNED, texts, tuple(lines[-_LINES:]))


async def _described(stub: Any, clock: Clock) -> Description:
    try:
        first, seconds = await _first_answer(stub, clock)
        again = await stub.Describe(scheduler_pb2.DescribeRequest(), timeout=_DESCRIBE_SECONDS)
        stream = Stream(stub.Schedule())
        try:
            empty = scheduler_pb2.ScheduleRequest(revision=1, snapshot=scheduler_pb2.Snapshot())
            with suppress(StreamEnded):  # The checks of streams find that.
                await stream.write(empty, _DESCRIBE_SECONDS)
            streaming = await stub.Describe(scheduler_pb2.DescribeRequest(), timeout=_DESCRIBE_SECONDS)
        finally:
            await stream.end()
    except grpc.RpcError as error:
        raise error_from_rpc(error) from None
    return Description(first, again, streaming, seconds)


async def _first_answer(stub: Any, clock: Clock) -> tuple[scheduler_pb2.DescribeResponse, float]:
    """What Describe answers, and how long that took. A virtual machine that is still warming up misses the first dial."""
    for redials in range(_REDIALS, -1, -1):
        began = clock.monotonic()
        try:
            answer = await stub.Describe(scheduler_pb2.DescribeRequest(), timeout=_DESCRIBE_SECONDS)
        except grpc.RpcError as error:
            if not redials or error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            await clock.sleep(_REDIAL_SECONDS)
        else:
            return answer, clock.monotonic() - began
    raise AssertionError("the last dial answers or raises")


async def _pace(stub: Any, clock: Clock, limit: float, described: scheduler_pb2.DescribeResponse) -> Pace:
    """Silence means that nothing comes once it lasts several times as long as a simple plan took."""
    step = Step((worker("w1"),), (group("g1"),), expect=(Holds("g1", 2),))
    took = limit
    for _ in range(2):  # The first plan of a process is slower than the others.
        coordinator = Coordinator(described, first_revision=1)
        await Stage(stub, coordinator, clock, Pace(limit, _LEAST_QUIET)).play((step,))
        took = min(took, coordinator.seen.seconds or limit)
    return Pace(limit, min(max(_LEAST_QUIET, 4 * took), _MOST_QUIET, limit))
