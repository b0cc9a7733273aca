"""What went wrong around a test, not in it."""

from __future__ import annotations

from grpc import StatusCode

from crossfleet.foundation.errors.base import CrossfleetError


class EnvironmentFailed(CrossfleetError):
    """The environment of a target could not be built or started."""

    reason = "ENVIRONMENT_FAILED"
    code = StatusCode.FAILED_PRECONDITION


class CollectionFailed(CrossfleetError):
    """The suite could not be collected."""

    reason = "COLLECTION_FAILED"
    code = StatusCode.FAILED_PRECONDITION


class CollectionMismatch(CrossfleetError):
    """Two hosts or processes collected different cases for one target."""

    reason = "COLLECTION_MISMATCH"
    code = StatusCode.FAILED_PRECONDITION


class RunnerFailed(CrossfleetError):
    """A runner broke its protocol or died outside of any case."""

    reason = "RUNNER_FAILED"
    code = StatusCode.ABORTED


class HostLost(CrossfleetError):
    """The host of an attempt is gone."""

    reason = "HOST_LOST"
    code = StatusCode.UNAVAILABLE


class DeviceLost(CrossfleetError):
    """A device that an attempt held is gone or broken."""

    reason = "DEVICE_LOST"
    code = StatusCode.UNAVAILABLE


class OutOfMemory(CrossfleetError):
    """An attempt used more memory than its slot has."""

    reason = "OUT_OF_MEMORY"
    code = StatusCode.RESOURCE_EXHAUSTED


class JournalFull(CrossfleetError):
    """The journal of unacknowledged results is full."""

    reason = "JOURNAL_FULL"
    code = StatusCode.RESOURCE_EXHAUSTED


class ShimUnreachable(CrossfleetError):
    """The process that owns the runners does not answer."""

    reason = "SHIM_UNREACHABLE"
    code = StatusCode.UNAVAILABLE


class Preempted(CrossfleetError):
    """The attempt gave its place to more urgent work."""

    reason = "PREEMPTED"
    code = StatusCode.ABORTED
