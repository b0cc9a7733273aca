"""grpc.health.v1 for the whole server (""), for each service by its name, and for conditions that come and go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from crossfleet.foundation.draining import Draining

SERVICE_NAME = "grpc.health.v1.Health"
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class Condition:
    """What holds of a service at times, such as that it leads."""

    def __init__(self) -> None:
        """It does not hold yet."""
        self.holds = False
        self.change = asyncio.Event()
        """Is set when it is the other way round than now; then comes another one."""

    def set(self, holds: bool) -> None:
        """From now on it holds, or not."""
        if holds != self.holds:
            self.holds = holds
            self.change.set()
            self.change = asyncio.Event()


class DrainingHealth(health_pb2_grpc.HealthServicer):
    """SERVING until draining begins (a condition: while it holds), then NOT_SERVING; `Watch` ends with that answer.

    The servicer of grpcio-health-checking keeps watchers open, so that `stop(grace)` waits the whole grace for them.
    """

    def __init__(
        self, draining: Draining, services: Sequence[str], conditions: Mapping[str, Condition] = MappingProxyType({})
    ) -> None:
        """`conditions` are asked for by names of their own."""
        self._draining = draining
        self._services = frozenset(services) | {""}
        self._conditions = conditions

    def _status(self, service: str) -> int:
        condition = self._conditions.get(service)
        if condition is None and service not in self._services:
            return _UNKNOWN
        return _NOT_SERVING if self._draining.begun or (condition and not condition.holds) else _SERVING

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
        """The status now and whenever it changes; ends when draining begins."""
        condition = self._conditions.get(request.service)
        last = -1
        while True:
            over, change = self._draining.begun, condition.change if condition else None
            status = self._status(request.service)
            if status != last:
                last = status
                yield health_pb2.HealthCheckResponse(status=status)
            if over:
                return
            await self._draining_or(change)

    async def _draining_or(self, change: asyncio.Event | None) -> None:
        waits = [asyncio.ensure_future(event.wait()) for event in (self._draining, change) if event is not None]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
