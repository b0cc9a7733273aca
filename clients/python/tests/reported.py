"""Runs to report: what became of them, case by case."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from crossfleet.api.types.v1 import result_pb2, run_pb2
from crossfleet.cli.running.results import RunResults

OUTCOMES = (
    ("passed", result_pb2.OUTCOME_PASSED),
    ("failed", result_pb2.OUTCOME_FAILED),
    ("error", result_pb2.OUTCOME_ERROR),
    ("skipped", result_pb2.OUTCOME_SKIPPED),
    ("crashed", result_pb2.OUTCOME_CRASHED),
    ("xfailed", result_pb2.OUTCOME_XFAILED),
)


def results() -> RunResults:
    run = run_pb2.Run(run_id="run-1", verdict=run_pb2.RUN_VERDICT_FAILED, state=run_pb2.RUN_STATE_FINISHED)
    run.spec.suite.name = "suite"
    run.spec.suite.variables["PASSWORD"] = "hunter2"
    run.created_at.CopyFrom(Timestamp(seconds=1_790_000_000))
    run.finished_at.CopyFrom(Timestamp(seconds=1_790_000_075))
    cases, details = [], {}
    for target in ("plain", "gpu"):
        run.targets.add(name=target)
        for index, (word, outcome) in enumerate(OUTCOMES):
            case = result_pb2.CaseRecord(
                target=target, case_index=index, case_id=f"tests/test_a.py::T::test_{word}[\x00é]"
            )
            case.outcome, case.seconds, case.message = outcome, index / 10, f"says {word}\x1b"
            cases.append(case)
            if word in ("failed", "error", "crashed"):
                full = result_pb2.CaseResult(details=b"the traceback \xff")
                full.sections.add(title="Captured stdout call", content=b"printed \x00")
                full.sections.add(title="Captured stderr call", content=b"warned")
                details[(target, index, case.case_id)] = full
    run.counts.total, run.counts.passed, run.counts.failed = 12, 2, 2
    return RunResults(run, tuple(cases), details)


def flaky_results() -> RunResults:
    """One case that failed twice and passed, one that failed for good, each with its earlier failures."""
    run = run_pb2.Run(run_id="run-1", verdict=run_pb2.RUN_VERDICT_FAILED)
    run.targets.add(name="default")
    run.counts.total, run.counts.flaky, run.counts.failed = 2, 1, 1
    cases, details = [], {}
    for index, outcome in enumerate((result_pb2.OUTCOME_FLAKY, result_pb2.OUTCOME_FAILED)):
        case = result_pb2.CaseRecord(target="default", case_index=index, case_id=f"test_a.py::test_{index}")
        case.outcome, case.message, case.worker_id, case.attempt_id = outcome, "boom", "right", 9
        for kind in (result_pb2.OUTCOME_CRASHED, result_pb2.OUTCOME_FAILED):
            earlier = case.earlier.add(outcome=kind, message="boom", worker_id="left", slot=index, details=b"the stack")
            earlier.sections.add(title="Captured stdout call", content=b"printed then")
        cases.append(case)
        details["default", index, case.case_id] = result_pb2.CaseResult(
            details=b"the last stack" if index else b"", outcome=outcome
        )
    return RunResults(run, tuple(cases), details)
