"""grpc.health.v1 for the whole server ("") and for each service by its name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from crossfleet.foundation.draining import Draining

SERVICE_NAME = "grpc.health.v1.Health"
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class DrainingHealth(health_pb2_grpc.HealthServicer):
    """SERVING until draining begins, then NOT_SERVING; `Watch` ends with that answer.

    The servicer of grpcio-health-checking keeps watchers open, so that `stop(grace)` waits the whole grace for them.
    """

    def __init__(self, draining: Draining, services: Sequence[str]) -> None:
        self._draining = draining
        self._services = frozenset(services) | {""}

    def _status(self, service: str) -> int:
        if service not in self._services:
            return _UNKNOWN
        return _NOT_SERVING if self._draining.begun else _SERVING

    async def Check(
        self,
        request: health_pb2.HealthCheckRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> health_pb2.HealthCheckResponse:
        """The status of one service; NOT_FOUND (as the protocol says) for an unknown name."""
        status = self._status(request.service)
        if status == _UNKNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no service {request.service!r} here")
        return health_pb2.HealthCheckResponse(status=status)

    async def Watch(
        self,
        request: health_pb2.HealthCheckRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """The status now, and the next one when draining begins."""
        first = self._status(request.service)
        yield health_pb2.HealthCheckResponse(status=first)
        await self._draining.wait()
        last = self._status(request.service)
        if last != first:
            yield health_pb2.HealthCheckResponse(status=last)
