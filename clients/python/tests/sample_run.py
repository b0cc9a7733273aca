"""A finished run made of the cases that a test names."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from crossfleet.api.types.v1 import result_pb2, run_pb2
from crossfleet.cli.running.results import RunResults

Case = tuple[result_pb2.CaseRecord, result_pb2.CaseResult | None]


def case(
    case_id: str,
    outcome: str,
    *,
    target: str = "default",
    message: str = "",
    seconds: float = 0.1,
    details: bytes = b"",
    sections: Sequence[tuple[str, bytes]] = (),
    phases: tuple[float, float, float] = (0.0, 0.0, 0.0),
    properties: dict[str, str] | None = None,
    added: bool = False,
) -> Case:
    """One case; it has a full result where anything is said that only that holds."""
    record = result_pb2.CaseRecord(target=target, case_id=case_id, message=message, seconds=seconds)
    record.outcome = result_pb2.Outcome.Value(f"OUTCOME_{outcome.upper()}")
    record.worker_id, record.slot = "w1", 0
    if not (details or sections or any(phases) or properties or added):
        return record, None
    setup, call, teardown = phases
    full = result_pb2.CaseResult(
        details=details, setup_seconds=setup, call_seconds=call, teardown_seconds=teardown, properties=properties or {}
    )
    full.added_case_id = case_id if added else ""
    for title, content in sections:
        full.sections.add(title=title, content=content)
    return record, full


def finished(*cases: Case, root: str = "", runner: str = "pytest", suite: str = "suite") -> RunResults:
    """The results of a run of these cases, on the targets that they name."""
    run = run_pb2.Run(run_id="run-1", verdict=run_pb2.RUN_VERDICT_FAILED, state=run_pb2.RUN_STATE_FINISHED)
    run.spec.suite.name, run.spec.suite.runner, run.spec.suite.root = suite, runner, root
    run.created_at.CopyFrom(Timestamp(seconds=1_790_000_000))
    run.finished_at.CopyFrom(Timestamp(seconds=1_790_000_075))
    run.counts.total = len(cases)
    for name in dict.fromkeys(record.target for record, _ in cases):
        run.targets.add(name=name)
    records, details = [], {}
    for index, (record, full) in enumerate(cases):
        placed = result_pb2.CaseRecord()
        placed.CopyFrom(record)
        placed.case_index = index
        records.append(placed)
        if full is not None:
            details[record.target, index, record.case_id] = full
    return RunResults(run, tuple(records), details)
