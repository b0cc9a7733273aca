"""The Scheduler service."""

from collections.abc import AsyncIterator
from typing import Any

import grpc

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.api.scheduler.v1 import scheduler_service_pb2_grpc as scheduler_grpc
from crossfleet.foundation.clock import Clock
from crossfleet.foundation.draining import Draining
from crossfleet.scheduler.core.model import Policy
from crossfleet.scheduler.recorder import Recorder
from crossfleet.scheduler.stream import Stream

Context = grpc.aio.ServicerContext[Any, Any]
NAME = "crossfleet-default"
_ABILITIES = ("gangs", "revocation", "portions")


class SchedulerServicer(scheduler_grpc.SchedulerServiceServicer):
    """Describes itself and plans. Each stream has a memory of its own, which ends with it."""

    def __init__(self, policy: Policy, version: str, clock: Clock, draining: Draining, recorder: Recorder) -> None:
        """Keep what every stream needs."""
        self._policy = policy
        self._version = version
        self._clock = clock
        self._draining = draining
        self._recorder = recorder

    async def Describe(
        self, request: scheduler_pb2.DescribeRequest, context: Context
    ) -> scheduler_pb2.DescribeResponse:
        """Name, version and abilities. It takes deltas."""
        return scheduler_pb2.DescribeResponse(
            name=NAME, version=self._version, snapshots_only=False, abilities=_ABILITIES
        )

    async def Schedule(
        self, request_iterator: AsyncIterator[scheduler_pb2.ScheduleRequest], context: Context
    ) -> AsyncIterator[scheduler_pb2.ScheduleResponse]:
        """Plan until the coordinator ends the stream or this service drains."""
        stream = Stream(self._policy, self._clock, self._recorder)
        async for response in stream.answers(self._draining.until(request_iterator)):
            yield response
