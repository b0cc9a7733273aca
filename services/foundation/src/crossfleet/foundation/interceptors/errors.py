"""How an exception of a handler leaves the service."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import grpc
from grpc_status import rpc_status

from crossfleet.foundation.errors.base import CrossfleetError
from crossfleet.foundation.errors.internal import InternalError
from crossfleet.foundation.errors.status import to_status
from crossfleet.foundation.interceptors.layers import Call
from crossfleet.foundation.logs import get_logger


class StatusAborter:
    """Ends calls with google.rpc.Status; what is not a CrossfleetError is logged under an incident id and hidden."""

    def __init__(self, new_incident: Callable[[], str] = lambda: secrets.token_hex(6)) -> None:
        self._new_incident = new_incident
        self._log = get_logger()

    async def __call__(self, context: grpc.aio.ServicerContext[Any, Any], call: Call, error: BaseException) -> None:
        """Aborts the call; always raises grpc.aio.AbortError."""
        if not isinstance(error, CrossfleetError):
            incident = self._new_incident()
            self._log.error(
                "unexpected error in a call",
                incident=incident,
                service=call.service,
                method=call.method,
                exc_info=error,
            )
            error = InternalError(f"internal error, incident {incident}: see the log of the service", incident=incident)
        await context.abort_with_status(rpc_status.to_status(to_status(error)))
