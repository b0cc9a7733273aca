"""A scheduler that goes wrong when it is told to: `python -m tests.faults.wild --listen unix:/PATH MOOD`.

It is ours, but for what it says. The file MOOD holds a word, which is read for each plan; while there is none it behaves.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.foundation.clock import SystemClock
from crossfleet.foundation.draining import Draining
from crossfleet.foundation.serve import ServiceDefinition, run_service, serve
from crossfleet.foundation.serve.definition import ServerSettings
from crossfleet.scheduler.core.model import Policy
from crossfleet.scheduler.recorder import NullRecorder
from crossfleet.scheduler.servicer import SchedulerServicer

SERVICE = "crossfleet.api.scheduler.v1.SchedulerService"
SLOW_SECONDS = 0.6


class Wild:
    """Our scheduler in a mood."""

    def __init__(self, mood: Path, draining: Draining) -> None:
        self._file = mood
        self._inner = SchedulerServicer(Policy(), "1.0", SystemClock(), draining, NullRecorder())

    @property
    def mood(self) -> str:
        """The word of the moment."""
        try:
            return self._file.read_text().strip()
        except FileNotFoundError:
            return ""

    async def describe(self, request: Any, context: Any) -> scheduler_pb2.DescribeResponse:
        """As ours."""
        return await self._inner.Describe(request, context)

    async def schedule(self, requests: Any, context: Any) -> AsyncIterator[scheduler_pb2.ScheduleResponse]:
        """Ours, distorted."""
        async for plan in self._inner.Schedule(requests, context):
            mood = self.mood
            if mood == "slow":
                await asyncio.sleep(SLOW_SECONDS)
            if mood == "confused":
                plan.base_revision += 1_000_000
            if mood == "absent":
                plan.ClearField("allocate")
                plan.ClearField("waiting")
            for one in plan.allocate:
                if mood == "haunted":
                    one.worker_id = "long-gone"
                if mood == "greedy":
                    one.slots *= 100
            yield plan

    def written(self, plan: scheduler_pb2.ScheduleResponse) -> bytes:
        """What goes over the wire."""
        return b"\xff\xff\xff\xff" if self.mood == "garbled" else plan.SerializeToString()

    def add(self, servicer: object, server: Any) -> None:
        """As a generated `add_..._to_server`, but for how plans are written."""
        handlers: dict[str, Any] = {
            "Describe": grpc.unary_unary_rpc_method_handler(
                self.describe,
                scheduler_pb2.DescribeRequest.FromString,
                scheduler_pb2.DescribeResponse.SerializeToString,
            ),
            "Schedule": grpc.stream_stream_rpc_method_handler(
                self.schedule, scheduler_pb2.ScheduleRequest.FromString, self.written
            ),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))


def main() -> int:
    """Serves until it is told to go."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", required=True)
    parser.add_argument("mood", type=Path)
    options = parser.parse_args()

    async def start() -> None:
        draining = Draining()
        wild = Wild(options.mood, draining)
        definition = ServiceDefinition("scheduler", [(wild.add, wild)])
        await serve(definition, ServerSettings(listen=(options.listen,)), draining=draining)

    return run_service("scheduler", start)


if __name__ == "__main__":
    raise SystemExit(main())
