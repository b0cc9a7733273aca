"""Faults of crossfleet itself."""

from __future__ import annotations

from grpc import StatusCode

from crossfleet.foundation.errors.base import CrossfleetError


class InternalError(CrossfleetError):
    """A fault of crossfleet itself."""

    reason = "INTERNAL"
    code = StatusCode.INTERNAL
