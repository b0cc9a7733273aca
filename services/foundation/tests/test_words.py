from __future__ import annotations

import pytest

from crossfleet.api.types.v1 import result_pb2, run_pb2
from crossfleet.foundation.words import number_of, word


@pytest.mark.parametrize(
    ("enum", "number", "text"),
    [
        (result_pb2.Outcome, result_pb2.OUTCOME_TIMED_OUT, "timed_out"),
        (run_pb2.RunVerdict, run_pb2.RUN_VERDICT_UNSPECIFIED, "unspecified"),
        (run_pb2.TargetState.DESCRIPTOR, run_pb2.TARGET_STATE_SKIPPED, "skipped"),
        (run_pb2.TargetState, 4711, "unknown_4711"),
    ],
)
def test_a_value_is_read_by_its_name_also_one_of_a_later_version(enum, number, text):
    assert word(enum, number) == text
    assert number_of(enum, text) == number


@pytest.mark.parametrize("text", ["nonsense", "", "unknown_x"])
def test_what_is_no_value_is_refused(text):
    with pytest.raises((KeyError, ValueError)):
        number_of(run_pb2.TargetState, text)
