"""Requests that contradict what is there."""

from __future__ import annotations

from grpc import StatusCode

from crossfleet.foundation.errors.base import CrossfleetError


class IdempotencyConflict(CrossfleetError):
    """The request id was used before with other content."""

    reason = "IDEMPOTENCY_CONFLICT"
    code = StatusCode.ALREADY_EXISTS


class VersionConflict(CrossfleetError):
    """What is to be changed has changed since it was read."""

    reason = "VERSION_CONFLICT"
    code = StatusCode.ABORTED


class StateConflict(CrossfleetError):
    """The state of the thing does not allow this, for example a cancelled run to be resumed."""

    reason = "STATE_CONFLICT"
    code = StatusCode.FAILED_PRECONDITION


class WorkerIdentityInUse(CrossfleetError):
    """Another living worker has this name."""

    reason = "WORKER_IDENTITY_IN_USE"
    code = StatusCode.ALREADY_EXISTS


class AlreadyExists(CrossfleetError):
    """A thing of this name exists."""

    reason = "ALREADY_EXISTS"
    code = StatusCode.ALREADY_EXISTS
