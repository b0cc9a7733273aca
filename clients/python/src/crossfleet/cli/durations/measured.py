"""What a run has measured, and how a file of durations follows it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from crossfleet.api.types.v1 import result_pb2
from crossfleet.cli.durations.file import LONGEST_SECONDS

_MEASURED = frozenset(
    (
        result_pb2.OUTCOME_PASSED,
        result_pb2.OUTCOME_FAILED,
        result_pb2.OUTCOME_ERROR,
        result_pb2.OUTCOME_XFAILED,
        result_pb2.OUTCOME_XPASSED,
        result_pb2.OUTCOME_FLAKY,
        result_pb2.OUTCOME_SKIPPED,  # takes little, and most likely will the next time
    )
)
# Changes below both are taken for noise, so that a file changes where the suite does.
_STEADY_PART = 0.25
_STEADY_SECONDS = 0.01


def measured(cases: Iterable[result_pb2.CaseRecord]) -> dict[str, float]:
    """Seconds of the cases that ran to their end; of several targets the longest."""
    found: dict[str, float] = {}
    for case in cases:
        if case.outcome in _MEASURED and 0 < case.seconds <= LONGEST_SECONDS:
            found[case.case_id] = max(case.seconds, found.get(case.case_id, 0.0))
    return found


def steadied(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """`after`, but with the seconds of before where they hardly changed."""
    return {
        case_id: before[case_id] if case_id in before and _is_noise(before[case_id], seconds) else seconds
        for case_id, seconds in after.items()
    }


def _is_noise(before: float, after: float) -> bool:
    return abs(after - before) <= max(_STEADY_PART * before, _STEADY_SECONDS)
