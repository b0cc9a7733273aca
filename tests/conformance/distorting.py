"""Our scheduler with something wrong: what it hears, or what it says, is distorted on the way."""

import copy
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.api.scheduler.v1.scheduler_service_pb2_grpc import (
    SchedulerServiceServicer,
    add_SchedulerServiceServicer_to_server,
)
from crossfleet.foundation.clock import SystemClock
from crossfleet.foundation.draining import Draining
from crossfleet.foundation.serve import ServiceDefinition
from crossfleet.foundation.testing import Running, serving
from crossfleet.scheduler.core.model import Policy
from crossfleet.scheduler.recorder import NullRecorder
from crossfleet.scheduler.servicer import SchedulerServicer

Update = scheduler_pb2.ScheduleRequest
Plan = scheduler_pb2.ScheduleResponse


def as_it_is(message):
    yield message


class Distorted(SchedulerServiceServicer):
    """Passes each update through `hears` and each plan through `says`, which yield what goes on."""

    def __init__(
        self,
        hears: Callable[[Update], Iterator[Update]] = as_it_is,
        says: Callable[[Plan], Iterator[Plan]] = as_it_is,
        describes: Callable[[scheduler_pb2.DescribeResponse], object] = lambda described: None,
        policy: Policy | None = None,
    ) -> None:
        self._inner = SchedulerServicer(policy or Policy(), "1.0", SystemClock(), Draining(), NullRecorder())
        self._hears, self._says, self._describes = hears, says, describes

    async def Describe(self, request, context):
        described = await self._inner.Describe(request, context)
        self._describes(described)
        return described

    async def Schedule(self, request_iterator: AsyncIterator[Update], context):
        async def heard():
            async for update in request_iterator:
                for one in self._hears(copy.deepcopy(update)):
                    yield one

        async for plan in self._inner.Schedule(heard(), context):
            for one in self._says(plan):
                yield one


def rows(update: Update):
    """The rows of an update of either kind."""
    return update.snapshot if update.HasField("snapshot") else update.delta


def heard(change: Callable[[Update], object]) -> Distorted:
    """A scheduler that hears each update changed."""

    def hears(update):
        change(update)
        yield update

    return Distorted(hears=hears)


def said(change: Callable[[Plan], object]) -> Distorted:
    """A scheduler that says each plan changed."""

    def says(plan):
        change(plan)
        yield plan

    return Distorted(says=says)


@asynccontextmanager
async def served(servicer: SchedulerServiceServicer) -> AsyncIterator[Running]:
    """The servicer at an address of its own."""
    async with serving(ServiceDefinition("scheduler", [(add_SchedulerServiceServicer_to_server, servicer)])) as running:
        yield running
