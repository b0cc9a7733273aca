"""Runs and what belongs to them, from their rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from google.protobuf.timestamp_pb2 import Timestamp

from crossfleet.api.coordinator.v1.artifact_service_pb2 import Artifact, WaitingArtifact
from crossfleet.api.coordinator.v1.run_service_pb2 import SlotProcess
from crossfleet.api.types.v1 import result_pb2, run_pb2
from crossfleet.api.types.v1.device_pb2 import Worker
from crossfleet.coordinator.core.events import RunSubmitted
from crossfleet.coordinator.core.model import Group, Run, State
from crossfleet.coordinator.core.outcomes import Outcome
from crossfleet.coordinator.ledger.rows import (
    ArtifactRow,
    AttemptRow,
    CaseRow,
    EarlierRow,
    GroupRow,
    ProcessRow,
    RunRow,
    WaitingArtifactRow,
)

HIDDEN = "***"
"""Stands for the value of a variable that was given to a suite."""
_SHOWN_CASES = 1000
_SEVERAL = ", "
_COUNT_FIELDS = (
    ("passed", (Outcome.PASSED,)),
    ("failed", (Outcome.FAILED,)),
    ("errors", (Outcome.ERROR,)),
    ("skipped", (Outcome.SKIPPED,)),
    ("xfailed", (Outcome.XFAILED,)),
    ("xpassed", (Outcome.XPASSED,)),
    ("crashed", (Outcome.CRASHED,)),
    ("timed_out", (Outcome.TIMED_OUT,)),
    ("cancelled", (Outcome.CANCELLED, Outcome.PREEMPTED)),
    ("not_run", (Outcome.NOT_RUN,)),
    ("pending", (Outcome.PENDING,)),
    ("flaky", (Outcome.FLAKY,)),
)


def set_time(stamp: Timestamp, seconds: float) -> None:
    """Sets a timestamp to unix seconds, with microseconds; zero leaves it unset."""
    if seconds:
        whole = int(seconds)
        stamp.seconds, stamp.nanos = whole, int((seconds - whole) * 1e6) * 1000


def counts(by_outcome: Sequence[int]) -> result_pb2.Counts:
    """Cases by outcome, from a list indexed by Outcome."""
    known = len(by_outcome)
    fields = {name: sum(by_outcome[one] for one in outcomes if one < known) for name, outcomes in _COUNT_FIELDS}
    return result_pb2.Counts(total=sum(by_outcome), **fields)


def run(row: RunRow, groups: Sequence[GroupRow], state: State) -> run_pb2.Run:
    """A run as committed. Of a spec with very many case ids these are left out: ListCases has them."""
    message = run_pb2.Run(run_id=row.run_id, cause=row.cause)
    show_spec(message.spec, row.spec)
    message.state = int(row.state)  # type: ignore[assignment]
    message.verdict = int(row.verdict)  # type: ignore[assignment]
    set_time(message.created_at, row.created_at)
    set_time(message.started_at, row.started_at)
    set_time(message.finished_at, row.finished_at)
    _set_deadline(message, row.created_at)
    alternatives = {one.name: one.alternatives for one in message.spec.targets}
    for one in groups:
        status = target(one, state)
        for use in status.alternatives:
            use.selector = alternatives[one.target][use.number - 1].selector
        message.targets.append(status)
    # Lists of an older version may be shorter.
    total = [sum(column) for column in zip_longest(*(one.counts for one in groups), fillvalue=0)]
    if total:
        message.counts.CopyFrom(counts(total))
    return message


def _set_deadline(message: run_pb2.Run, created_at: float) -> None:
    policy = message.spec.policy
    if policy.HasField("deadline"):
        message.deadline.CopyFrom(policy.deadline)
    elif policy.HasField("deadline_in"):
        set_time(message.deadline, created_at + policy.deadline_in.ToNanoseconds() / 1e9)


def show_spec(shown: run_pb2.RunSpec, stored: bytes) -> None:
    """A stored spec as others may see it: variables by name only, for a whole environment holds secrets."""
    shown.ParseFromString(stored)
    if len(shown.suite.cases) > _SHOWN_CASES:
        del shown.suite.cases[:]
    given = [shown.suite.variables]
    for target_spec in shown.targets:
        given.append(target_spec.environment.variables)
        if target_spec.HasField("suite"):
            given.append(target_spec.suite.variables)
    for variables in given:
        for name in variables:
            variables[name] = HIDDEN


def submitted(fact: RunSubmitted, cases: int) -> run_pb2.Run:
    """A run as it was committed first, with so many cases a target named by the client."""
    message = run_pb2.Run(run_id=fact.run_id, state=run_pb2.RUN_STATE_QUEUED)
    show_spec(message.spec, fact.spec)
    set_time(message.created_at, fact.at)
    _set_deadline(message, fact.at)
    for one in fact.targets:
        target_message = message.targets.add(name=one.name, group_id=f"{fact.run_id}/{one.name}")
        target_message.state = run_pb2.TARGET_STATE_WAITING
        target_message.counts.total = target_message.counts.pending = cases
    message.counts.total = message.counts.pending = cases * len(fact.targets)
    return message


def live_run(state: State, one: Run) -> run_pb2.Run:
    """A run of the live state: its settled facts, such as the verdict of a finished one, are final."""
    groups = [state.groups[group_id] for group_id in one.groups]
    row = RunRow(
        run_id=one.run_id,
        request_id=one.request_id,
        project=one.project,
        suite=one.suite,
        runner=one.runner,
        priority=one.priority,
        spec=one.spec,
        cursor_seq=0,
        created_at=one.created_at,
        state=one.state,
        verdict=one.verdict,
        cause=one.cause,
        started_at=one.started_at,
        finished_at=one.finished_at,
    )
    return run(row, [live_group(group) for group in groups], state)


def live_group(group: Group) -> GroupRow:
    """The row of a group of the live state."""
    return GroupRow(
        group_id=group.group_id,
        run_id=group.run_id,
        position=group.position,
        target=group.target.name,
        state=group.state,
        digest=group.digest,
        cases=len(group.outcomes),
        deselected=group.deselected,
        counts=list(group.counts),
        waiting_code=group.waiting_code,
        waiting_text=group.waiting_text,
        cause=group.cause,
        ending=group.ending,
        cause_details=group.cause_details,
        skipped=group.skipped,
        alternatives=sorted(group.whereabouts.used.items()) if group.whereabouts is not None else (),
        unchanged_since=group.unchanged_since,
        comparison=group.comparison,
    )


def target(row: GroupRow, state: State) -> run_pb2.TargetStatus:
    """A target as committed, with the workers that hold slots for it now."""
    message = run_pb2.TargetStatus(
        name=row.target,
        group_id=row.group_id,
        counts=counts(row.counts),
        waiting_reason=row.waiting_text,
        cause=row.cause,
        collection_digest=row.digest,
        deselected=row.deselected,
        cause_details=row.cause_details,
        unchanged_since=row.unchanged_since,
        comparison=row.comparison,
    )
    message.ending = int(row.ending)  # type: ignore[assignment]
    message.state = run_pb2.TARGET_STATE_SKIPPED if row.skipped else int(row.state)  # type: ignore[assignment]
    for index, slots in row.alternatives:
        message.alternatives.add(number=index + 1, slots=slots)
    group = state.groups.get(row.group_id)
    if group is not None:
        held = {state.allocations[one].worker_id for one in group.allocations if one in state.allocations}
        message.worker_ids.extend(sorted(held))
        if held:
            message.waiting_reason = ""  # it may want more, but does not wait
    return message


def case(row: CaseRow) -> result_pb2.CaseRecord:
    """A case with its verdict, and its full result where the row has one."""
    message = result_pb2.CaseRecord(
        target=row.target,
        case_index=row.case_index,
        case_id=row.case_id,
        seconds=row.seconds,
        message=row.message,
        worker_id=row.worker_id,
        slot=row.slot,
        attempt_id=row.attempt_id,
        process=row.process,
        position=row.place,
        time_limit_seconds=row.time_limit,
        device_model=_SEVERAL.join(row.models),
    )
    message.outcome = int(row.outcome)  # type: ignore[assignment]
    for one in row.earlier:
        _add_earlier(message, one)
    if row.payload:
        message.result.ParseFromString(row.payload)
        message.earlier.extend(message.result.earlier)
    return message


def _add_earlier(message: result_pb2.CaseRecord, row: EarlierRow) -> None:
    """A failure after which the case was run again; with what it printed, where the row has that."""
    shown = message.earlier.add(
        seconds=row.seconds,
        message=row.message,
        worker_id=row.worker_id,
        slot=row.slot,
        attempt_id=row.attempt_id,
        device_model=_SEVERAL.join(row.models),
    )
    shown.outcome = int(row.outcome)  # type: ignore[assignment]
    if row.payload:
        result = result_pb2.CaseResult.FromString(row.payload)
        shown.details = result.details
        shown.sections.extend(result.sections)


def slot_process(row: ProcessRow) -> SlotProcess:
    """One process of a slot, with what its worker last said of itself."""
    worker = Worker.FromString(row.worker)
    message = SlotProcess(
        allocation_id=row.allocation_id,
        worker_id=row.worker_id,
        host=worker.host,
        worker_version=worker.version,
        slot=row.slot,
        number=row.number,
    )
    if row.runner:
        message.runner.ParseFromString(row.runner)
    message.run_number = message.runner.first_number + row.place
    return message


def attempt(row: AttemptRow) -> result_pb2.Attempt:
    """An attempt."""
    message = result_pb2.Attempt(
        attempt_id=row.attempt_id,
        task_id=row.task_id,
        worker_id=row.worker_id,
        slot=row.slot,
        cases=row.cases,
        peak_memory_bytes=row.peak_memory,
        alternative=row.alternative,
    )
    message.cause = int(row.cause)  # type: ignore[assignment]
    set_time(message.assigned_at, row.assigned_at)
    set_time(message.ended_at, row.ended_at)
    return message


def waiting_artifact(row: WaitingArtifactRow) -> WaitingArtifact:
    """An artifact that its worker keeps."""
    message = WaitingArtifact(target=row.target, name=row.name, worker_id=row.worker_id)
    set_time(message.since, row.since)
    return message


def artifact(run_id: str, row: ArtifactRow) -> Artifact:
    """An artifact of a run."""
    message = Artifact(
        run_id=run_id,
        target=row.target,
        name=row.name,
        digest=row.digest,
        size_bytes=row.size,
        media_type=row.media_type,
        case_id=row.case_id,
    )
    set_time(message.created_at, row.created_at)
    return message
