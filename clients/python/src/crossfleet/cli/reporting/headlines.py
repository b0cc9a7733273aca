"""How pytest names a case above its traceback, and in which section it stands. Pure."""

from __future__ import annotations

from crossfleet.api.types.v1 import result_pb2
from crossfleet.cli.reporting.suites import suite_on
from crossfleet.cli.running.results import RunResults


def headline(results: RunResults, case: result_pb2.CaseRecord) -> str:
    """`TestA.test_b`, `ERROR at setup of test_b`, `ERROR collecting test_a.py`; with the target where there are several."""
    file, _, name = case.case_id.partition("::")
    short = name.replace("::", ".") if suite_on(results.run, case.target).runner == "pytest" and name else case.case_id
    if case.outcome == result_pb2.OUTCOME_ERROR:
        short = f"ERROR {_phase(results.detail(case), name)} {short if name else file}"
    return f"{short}{target_mark(results, case.target)}"


def target_mark(results: RunResults, target: str) -> str:
    """` [gpu]` where the run has several targets, else nothing."""
    return f" [{target}]" if several_targets(results) else ""


def several_targets(results: RunResults) -> bool:
    """Whether a name has to say which target is meant."""
    return len(results.run.targets) > 1


def _phase(detail: result_pb2.CaseResult | None, name: str) -> str:
    if detail is not None and "call_outcome" in detail.properties:
        return "at teardown of"
    took = detail is not None and (detail.setup_seconds or detail.call_seconds or detail.teardown_seconds)
    return "at setup of" if name and (took or detail is None or not detail.added_case_id) else "collecting"
