"""Limits, load and availability."""

from __future__ import annotations

from grpc import StatusCode

from crossfleet.foundation.errors.base import CrossfleetError


class CursorExpired(CrossfleetError):
    """The cursor is older than the events that are kept."""

    reason = "CURSOR_EXPIRED"
    code = StatusCode.OUT_OF_RANGE


class SlowWatcher(CrossfleetError):
    """The watcher did not keep up and was let go."""

    reason = "SLOW_WATCHER"
    code = StatusCode.RESOURCE_EXHAUSTED


class QueueFull(CrossfleetError):
    """A bounded queue is full."""

    reason = "QUEUE_FULL"
    code = StatusCode.RESOURCE_EXHAUSTED


class QuotaExceeded(CrossfleetError):
    """The project would exceed a quota."""

    reason = "QUOTA_EXCEEDED"
    code = StatusCode.RESOURCE_EXHAUSTED


class RateLimited(CrossfleetError):
    """The caller asks too often."""

    reason = "RATE_LIMITED"
    code = StatusCode.RESOURCE_EXHAUSTED


class Draining(CrossfleetError):
    """The service or worker is going down and takes nothing new."""

    reason = "DRAINING"
    code = StatusCode.UNAVAILABLE


class Unavailable(CrossfleetError):
    """The peer cannot be reached or broke off."""

    reason = "UNAVAILABLE"
    code = StatusCode.UNAVAILABLE


class DeadlineExceeded(CrossfleetError):
    """The time allowed for the call was over before its answer."""

    reason = "DEADLINE_EXCEEDED"
    code = StatusCode.DEADLINE_EXCEEDED


class Cancelled(CrossfleetError):
    """The caller gave the call up."""

    reason = "CANCELLED"
    code = StatusCode.CANCELLED


class CircuitOpen(CrossfleetError):
    """Calls to this peer failed too often and are not tried for a while."""

    reason = "CIRCUIT_OPEN"
    code = StatusCode.UNAVAILABLE


class TooManyOpen(CrossfleetError):
    """Too many sessions, streams or uploads are open."""

    reason = "TOO_MANY_OPEN"
    code = StatusCode.RESOURCE_EXHAUSTED


class DatabaseAway(CrossfleetError):
    """The database has not answered for longer than a command may wait."""

    reason = "DATABASE_AWAY"
    code = StatusCode.RESOURCE_EXHAUSTED
