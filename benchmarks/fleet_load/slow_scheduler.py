"""A scheduler that takes its time: the default one behind a pause for each cycle.

    python -m benchmarks.fleet_load.slow_scheduler LISTEN BEHIND SECONDS

Whatever updates have come are taken together; `SECONDS` later they are passed on to the scheduler at BEHIND, whose plans
go back at once.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as wire
from crossfleet.api.scheduler.v1 import scheduler_service_pb2_grpc as services
from crossfleet.foundation import logs
from crossfleet.foundation.channel import open_channel
from crossfleet.foundation.serve import ServerSettings, ServiceDefinition, run_service, serve

_UPDATES = 10_000


class SlowScheduler(services.SchedulerServiceServicer):
    """Passes everything through, `seconds` late."""

    def __init__(self, behind: str, seconds: float) -> None:
        """`behind` is the address of who plans."""
        self._stub: Any = services.SchedulerServiceStub(open_channel(behind))
        self._seconds = seconds

    async def Describe(self, request: wire.DescribeRequest, context: Any) -> wire.DescribeResponse:
        """As whoever plans describes itself, under another name."""
        answer: wire.DescribeResponse = await self._stub.Describe(request)
        answer.name = "slow"
        return answer

    async def Schedule(
        self, requests: AsyncIterator[wire.ScheduleRequest], context: Any
    ) -> AsyncIterator[wire.ScheduleResponse]:
        """The plans of whoever plans."""
        waiting: asyncio.Queue[wire.ScheduleRequest] = asyncio.Queue(_UPDATES)
        reading = asyncio.ensure_future(_read(requests, waiting))
        try:
            async for plan in self._stub.Schedule(self._cycles(waiting)):
                yield plan
        finally:
            reading.cancel()

    async def _cycles(self, waiting: asyncio.Queue[wire.ScheduleRequest]) -> AsyncIterator[wire.ScheduleRequest]:
        while True:
            taken = [await waiting.get()]
            while not waiting.empty():
                taken.append(waiting.get_nowait())
            await asyncio.sleep(self._seconds)
            for update in taken:
                yield update


async def _read(requests: AsyncIterator[wire.ScheduleRequest], waiting: asyncio.Queue[wire.ScheduleRequest]) -> None:
    async for update in requests:
        await waiting.put(update)


async def _run(listen: str, behind: str, seconds: float) -> None:
    scheduler = SlowScheduler(behind, seconds)
    definition = ServiceDefinition("scheduler", [(services.add_SchedulerServiceServicer_to_server, scheduler)])
    await serve(definition, ServerSettings(listen=(listen,)))


if __name__ == "__main__":
    logs.configure("slow-scheduler", level="warning")
    sys.exit(run_service("scheduler", lambda: _run(sys.argv[1], sys.argv[2], float(sys.argv[3]))))
