"""What workers send, as commands. The hot path of results: one pass, no call per field that can be avoided."""

from __future__ import annotations

from collections.abc import Iterable

from crossfleet.api.types.v1 import result_pb2
from crossfleet.api.worker.v1 import worker_service_pb2 as worker_pb2
from crossfleet.coordinator.convert.submission import MOST_RERUNS
from crossfleet.coordinator.core.cases import CollectedCase
from crossfleet.coordinator.core.commands import (
    AllocationEnded,
    AttemptFinished,
    AttemptResults,
    CaseOutcome,
    CollectionError,
    HealthChecked,
    HeldAllocation,
    SlotsClosed,
    WantTasks,
    WorkerHello,
)
from crossfleet.coordinator.core.outcomes import Cause, Ending, Outcome
from crossfleet.coordinator.core.product import MOST_NAMED
from crossfleet.matching.messages import worker_from

_PASSED = result_pb2.OUTCOME_PASSED
_OUTCOMES = {outcome.value: outcome for outcome in Outcome if outcome is not Outcome.PENDING}
_CAUSES = {cause.value: cause for cause in Cause}
_ENDINGS = {ending.value: ending for ending in Ending}
_LONGEST_SECONDS = 365 * 86_400.0
# Pytest lists no shorter phase among the slowest; below it a passed case's time is that of its call.
_SLOW_PHASE = 0.005
_MOST_REPAIR_OUTPUT = 1000

Item = AttemptResults | AttemptFinished | AllocationEnded


def hello(message: worker_pb2.Hello, session_id: str) -> WorkerHello:
    """The command of a Hello."""
    return WorkerHello(
        worker_id=message.worker.worker_id,
        incarnation=message.worker.incarnation,
        session_id=session_id,
        view=worker_from(message.worker),
        runners=tuple(message.worker.runners),
        description=message.worker.SerializeToString(),
        held=tuple(
            HeldAllocation(one.allocation_id, tuple(one.attempt_ids), tuple(one.wanting_slots), tuple(one.slots))
            for one in message.allocations
        ),
        checks_health=message.worker.checks_health,
        gives_back_slots=message.worker.gives_back_slots,
    )


def health_checked(worker_id: str, message: worker_pb2.HealthChecked) -> HealthChecked:
    """What a test has shown, with a line for the repair and for each finding, the bad ones first."""
    lines = []
    if message.HasField("repair"):
        output = message.repair.output.decode(errors="replace").strip()[-_MOST_REPAIR_OUTPUT:]
        said = f": {output}" if output else ""
        lines.append(f"repair: exit status {message.repair.exit_status} after {message.repair.seconds:.1f} s{said}")
    findings = sorted(message.findings, key=lambda one: one.good)
    lines += [f"{one.name}: {'good' if one.good else 'bad'}, {one.text}" for one in findings]
    return HealthChecked(worker_id, message.device_id, message.request, message.good, "\n".join(lines))


def results(message: worker_pb2.Results) -> AttemptResults:
    """Results of an attempt. The whole message of a case is kept only where it says more than that it passed quickly."""
    return AttemptResults(
        message.attempt_id,
        tuple(
            CaseOutcome(
                one.case_index,
                _OUTCOMES.get(one.outcome, Outcome.ERROR),
                _seconds(one.setup_seconds + one.call_seconds + one.teardown_seconds),
                one.message,
                b"" if _says_little(one) else one.SerializeToString(),
                one.added_case_id,
                bool(one.earlier),
                one.process,
                one.position,
            )
            for one in message.results
        ),
    )


def _says_little(one: result_pb2.CaseResult) -> bool:
    return (
        one.outcome == _PASSED
        and not one.sections
        and not one.properties
        and one.setup_seconds + one.teardown_seconds < _SLOW_PHASE
    )


def _seconds(measured: float) -> float:
    """What a clock can have measured; zero for anything else, such as what a suite with a replaced clock reports.

    SQL takes no NaN, and one infinite duration would spoil every estimate.
    """
    return measured if 0.0 <= measured <= _LONGEST_SECONDS else 0.0


def attempt_finished(message: worker_pb2.AttemptFinished) -> AttemptFinished:
    """The end of an attempt."""
    return AttemptFinished(
        message.attempt_id,
        _CAUSES.get(message.cause, Cause.UNSPECIFIED),
        message.message,
        tuple(message.left_case_indices),
        message.peak_memory_bytes,
    )


def allocation_ended(message: worker_pb2.AllocationEnded) -> AllocationEnded:
    """The end of an allocation."""
    named = message.names_lost_artifacts
    return AllocationEnded(
        message.allocation_id,
        _CAUSES.get(message.cause, Cause.UNSPECIFIED),
        message.message,
        _ENDINGS.get(message.ending, Ending.UNSPECIFIED),
        tuple(dict.fromkeys(message.waiting_artifacts[:MOST_NAMED])),
        # A name that is none of a worker's artifacts stands for those that nobody knows.
        tuple(dict.fromkeys(message.lost_artifacts[:MOST_NAMED] if named else (message.allocation_id,))),
    )


def slots_closed(worker_id: str, message: worker_pb2.SlotsClosed) -> SlotsClosed:
    """Single slots are free."""
    return SlotsClosed(worker_id, message.allocation_id, tuple(message.slots))


def journalled(messages: Iterable[worker_pb2.WorkerMessage]) -> tuple[tuple[Item, ...], int]:
    """What of a batch is journalled, in order, and its highest sequence (0: none)."""
    items: list[Item] = []
    highest = 0
    for message in messages:
        kind = message.WhichOneof("kind")
        if kind == "results":
            items.append(results(message.results))
        elif kind == "attempt_finished":
            items.append(attempt_finished(message.attempt_finished))
        elif kind == "allocation_ended":
            items.append(allocation_ended(message.allocation_ended))
        highest = max(highest, message.sequence)
    return tuple(items), highest


def wants(worker_id: str, messages: Iterable[worker_pb2.WorkerMessage]) -> list[WantTasks]:
    """The slots of a batch that need what follows, by allocation."""
    slots: dict[str, dict[int, None]] = {}
    for message in messages:
        if message.HasField("want_tasks"):
            want = message.want_tasks
            slots.setdefault(want.allocation_id, {}).update(dict.fromkeys(want.slots))
    return [WantTasks(worker_id, allocation_id, tuple(wanted)) for allocation_id, wanted in slots.items()]


def collected_cases(message: worker_pb2.Collected) -> list[CollectedCase]:
    """The cases of one piece of a collection."""
    return [
        CollectedCase(case.case_id, tuple(case.groups), case.named_group, case.first, case.exclusive)
        for case in message.cases
    ]


def collected_reruns(message: worker_pb2.Collected, first: int) -> list[tuple[int, int]]:
    """Indices of the cases of one piece, whose first has the index `first`, that may be run again, and how often."""
    return [
        (index, min(case.max_reruns, MOST_RERUNS))
        for index, case in enumerate(message.cases, first)
        if case.max_reruns > 0
    ]


def collection_errors(message: worker_pb2.Collected) -> list[CollectionError]:
    """The errors of one piece of a collection, each with the CaseResult that it becomes."""
    return [
        CollectionError(
            error.case_id,
            error.message,
            result_pb2.CaseResult(
                case_index=-1,
                outcome=result_pb2.OUTCOME_ERROR,
                message=error.message,
                details=error.details,
                added_case_id=error.case_id,
            ).SerializeToString(),
        )
        for error in message.errors
    ]


def collection_skips(message: worker_pb2.Collected) -> list[CollectionError]:
    """What skipped itself while it was collected, in one piece of a collection."""
    return [CollectionError(skip.case_id, skip.message, outcome=Outcome.SKIPPED) for skip in message.skips]
