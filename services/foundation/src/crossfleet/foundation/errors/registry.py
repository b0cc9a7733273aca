"""The one table from reason to class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from crossfleet.foundation.errors import (
    access,
    conflicts,
    content,
    execution,
    installation,
    internal,
    leadership,
    load,
    missing,
    outside,
    planning,
    requests,
)
from crossfleet.foundation.errors.base import CrossfleetError

DOMAIN = "crossfleet"
"""The domain of every ErrorInfo that crossfleet sends."""

_MODULES = (
    access,
    conflicts,
    content,
    execution,
    installation,
    internal,
    leadership,
    load,
    missing,
    outside,
    planning,
    requests,
)


def _classes() -> Iterator[type[CrossfleetError]]:
    for module in _MODULES:
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, CrossfleetError) and value.reason:
                yield value


ERRORS_BY_REASON: Mapping[str, type[CrossfleetError]] = MappingProxyType({cls.reason: cls for cls in _classes()})

RESERVED: frozenset[str] = frozenset(
    {
        "ARTIFACT_NOT_FOUND",
        "COLLECTION_FAILED",
        "COLLECTION_NOT_FOUND",
        "CONNECTOR_FAILED",
        "DELIVERY_DEAD",
        "DELIVERY_NOT_FOUND",
        "DEVICE_LOST",
        "HOST_LOST",
        "JOURNAL_FULL",
        "LOG_NOT_FOUND",
        "OUT_OF_MEMORY",
        "POOL_NOT_FOUND",
        "PREEMPTED",
        "REVISION_STALE",
        "RUNNER_FAILED",
        "SIGNATURE_INVALID",
        "SIGN_IN_FAILED",
        "SNAPSHOT_REQUIRED",
        "TASK_NOT_FOUND",
        "TEST_ARGUMENT_REFUSED",
        "UPLOAD_NOT_FOUND",
        "VERSION_CONFLICT",
    }
)
"""Reasons of the protocol that nothing raises yet. A test keeps this list true."""
