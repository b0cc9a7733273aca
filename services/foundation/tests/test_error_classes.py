"""The table of reasons."""

from __future__ import annotations

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfleet.api.types.v1 import error_pb2
from crossfleet.foundation import errors
from crossfleet.foundation.errors.status import error_from_reason, error_from_status, to_status


def test_every_reason_has_exactly_one_class_and_every_class_a_reason() -> None:
    reasons = {name.removeprefix("ERROR_REASON_") for name, _ in error_pb2.ErrorReason.items()} - {"UNSPECIFIED"}
    assert set(errors.ERRORS_BY_REASON) == reasons
    exported = [getattr(errors, name) for name in errors.__all__]
    classes = [c for c in exported if isinstance(c, type) and issubclass(c, errors.CrossfleetError) and c.reason]
    assert sorted(c.reason for c in classes) == sorted(reasons)


@pytest.mark.parametrize("kind", errors.ERRORS_BY_REASON.values(), ids=lambda kind: kind.reason)
def test_each_class_comes_back_from_its_status(kind: type[errors.CrossfleetError]) -> None:
    assert kind.code not in (grpc.StatusCode.OK, grpc.StatusCode.UNKNOWN)
    back = error_from_status(to_status(kind(name="x")))
    assert type(back) is kind
    assert back.metadata == {"name": "x"}
    assert back.message == kind("").message


@given(st.text(max_size=3000), st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=500), max_size=5))
def test_any_text_and_metadata_fit_into_a_status(message: str, metadata: dict[str, str]) -> None:
    error = errors.QueueFull(message or "x")
    error.metadata = metadata
    assert to_status(error).ByteSize() < 8 * 1024


def test_a_reason_of_a_later_version_becomes_the_class_of_its_code() -> None:
    status = to_status(errors.RunNotFound("?"))
    status.details[0].value = status.details[0].value.replace(b"RUN_NOT_FOUND", b"RUN_NOT_FOUNX")
    status.code = grpc.StatusCode.UNAVAILABLE.value[0]
    assert type(error_from_status(status)) is errors.Unavailable


def test_a_reason_inside_a_message_becomes_its_class() -> None:
    error = error_from_reason("ERROR_REASON_STALE_ATTEMPT", "too late", {"attempt": "17"})
    assert type(error) is errors.StaleAttempt
    assert error.metadata == {"attempt": "17"}
