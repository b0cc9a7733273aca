"""Which results are kept whole: those that say more than that a case passed, and how long it took."""

from __future__ import annotations

import pytest

from crossfleet.api.types.v1 import result_pb2
from crossfleet.api.worker.v1 import worker_service_pb2
from crossfleet.coordinator.convert.reports import results


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ({"outcome": result_pb2.OUTCOME_PASSED, "call_seconds": 9.0}, False),
        ({"outcome": result_pb2.OUTCOME_PASSED, "setup_seconds": 0.002, "teardown_seconds": 0.002}, False),
        ({"outcome": result_pb2.OUTCOME_PASSED, "setup_seconds": 0.2}, True),
        ({"outcome": result_pb2.OUTCOME_PASSED, "teardown_seconds": 0.2}, True),
        ({"outcome": result_pb2.OUTCOME_PASSED, "sections": [{"title": "Captured stdout call"}]}, True),
        ({"outcome": result_pb2.OUTCOME_FAILED}, True),
    ],
)
def test_a_case_that_passed_is_kept_whole_only_where_it_printed_or_its_fixtures_took_their_time(
    said: dict[str, object], kept: bool
) -> None:
    message = worker_service_pb2.Results(attempt_id=1, results=[result_pb2.CaseResult(**said)])  # type: ignore[arg-type]
    (one,) = results(message).results
    assert bool(one.payload) == kept
