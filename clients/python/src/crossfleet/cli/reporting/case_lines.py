"""One case in one line. Pure."""

from __future__ import annotations

from crossfleet.api.types.v1 import result_pb2
from crossfleet.foundation.words import word

_PYTESTS_WORDS = {result_pb2.OUTCOME_XFAILED: "XFAIL", result_pb2.OUTCOME_XPASSED: "XPASS"}


def line_of(case: result_pb2.CaseRecord, mark: str = "") -> str:
    """`FAILED test_a.py::test_b - message [gpu]`."""
    message = f" - {case.message}" if case.message else ""
    return f"{word_of(case.outcome)} {case.case_id}{message}{mark}"


def word_of(outcome: result_pb2.Outcome.ValueType) -> str:
    """The word that pytest prints for an outcome; a fleet's own outcomes keep their names."""
    return _PYTESTS_WORDS.get(outcome) or word(result_pb2.Outcome, outcome).upper()


def verbose_line(case: result_pb2.CaseRecord, mark: str) -> tuple[str, str]:
    """`PASSED` and `test_a.py::test_b [gpu] 0.01s w1/0`: how a case ended, and where it ran."""
    place = f" {case.worker_id}/{case.slot}" if case.worker_id else ""
    return word_of(case.outcome), f"{case.case_id}{mark} {case.seconds:.2f}s{place}"
