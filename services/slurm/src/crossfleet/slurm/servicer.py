"""The Scheduler service of the bridge."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.api.scheduler.v1 import scheduler_service_pb2_grpc as scheduler_grpc
from crossfleet.foundation.draining import Draining
from crossfleet.foundation.errors.status import error_from_rpc
from crossfleet.slurm.rounds import Rounds
from crossfleet.slurm.stream import Stream

Context = grpc.aio.ServicerContext[Any, Any]
_DESCRIBE_SECONDS = 4.0


class BridgeServicer(scheduler_grpc.SchedulerServiceServicer):
    """Is for a coordinator what the scheduler behind it is, with more workers to come."""

    def __init__(
        self,
        behind: scheduler_grpc.SchedulerServiceAsyncStub,
        rounds: Rounds,
        open_stream: Callable[[], Stream],
        draining: Draining,
        version: str,
    ) -> None:
        """`behind` is the scheduler that places."""
        self._behind = behind
        self._rounds = rounds
        self._open_stream = open_stream
        self._draining = draining
        self._version = version

    async def Describe(
        self, request: scheduler_pb2.DescribeRequest, context: Context
    ) -> scheduler_pb2.DescribeResponse:
        """The scheduler behind, by another name. Raises what it raises."""
        try:
            found = await self._behind.Describe(request, timeout=_DESCRIBE_SECONDS)
        except grpc.RpcError as error:
            raise error_from_rpc(error) from error
        return scheduler_pb2.DescribeResponse(
            name=f"crossfleet-slurm before {found.name}",
            version=self._version,
            snapshots_only=found.snapshots_only,
            wants_fits=found.wants_fits,
            abilities=found.abilities,
        )

    async def Schedule(
        self, request_iterator: AsyncIterator[scheduler_pb2.ScheduleRequest], context: Context
    ) -> AsyncIterator[scheduler_pb2.ScheduleResponse]:
        """Pass on, and watch, until the coordinator ends the stream or this service drains."""
        updates = self._draining.until(request_iterator)
        async for plan in self._open_stream().plans(updates, self._behind.Schedule(), self._rounds.run):
            yield plan
