"""Short runs of higher priority beside the load: when each was asked for, recorded, placed, begun and over.

Beside them calls that do nothing are made, over a connection of their own: what anything at all takes on that machine.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks.fleet_load.suites import noop
from benchmarks.fleet_load.told import Told
from crossfleet.client import Client
from crossfleet.foundation.channel import open_channel

_PAUSE = 0.05
_PRIORITY = 100


@dataclass(frozen=True, slots=True)
class ShortRun:
    """Times in unix seconds; those of commits are when their batch was begun."""

    asked: float
    answered: float
    recorded: float
    placed: float
    begun: float
    over: float


STAGES: dict[str, Callable[[ShortRun], float]] = {
    "submission to its first task": lambda one: one.begun - one.asked,
    "  until the ledger has it": lambda one: one.recorded - one.asked,
    "  until it is placed": lambda one: one.placed - one.recorded,
    "  until its task is at the worker": lambda one: one.begun - one.placed,
    "submission to its answer": lambda one: one.answered - one.asked,
    "first task to its verdict": lambda one: one.over - one.begun,
}


@dataclass(slots=True)
class Beside:
    """What went on beside the load. `calls`: seconds of calls that do nothing."""

    runs: list[ShortRun] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)
    echoes: list[float] = field(default_factory=list)

    async def follow(self, load: asyncio.Future[float], client: Client, address: str, told: Told) -> None:
        """Submit one short run after the other until the load is over. Those that began later do not count."""
        calling = asyncio.ensure_future(self._call(address))
        before = len(told.echoes)
        seen: list[tuple[str, float, float, float]] = []
        try:
            while not load.done():
                asked = time.time()
                answer = await client.runs.submit(noop("interactive", 1, 1, priority=_PRIORITY, anywhere=True))
                answered = time.time()
                begun = await told.arrival(answer.run.run_id)
                if not load.done():
                    seen.append((answer.run.run_id, asked, answered, begun))
                await asyncio.sleep(_PAUSE)
        finally:
            calling.cancel()
        self.echoes += told.echoes[before:]
        for run_id, asked, answered, begun in seen:
            run = await client.runs.get(run_id)
            recorded, placed, over = map(_seconds, (run.created_at, run.started_at, run.finished_at))
            self.runs.append(ShortRun(asked, answered, recorded, placed, begun, over))

    async def _call(self, address: str) -> None:
        async with open_channel(address) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            while True:
                begun = time.perf_counter()
                await stub.Check(health_pb2.HealthCheckRequest())
                self.calls.append(time.perf_counter() - begun)
                await asyncio.sleep(_PAUSE)


def _seconds(stamp: Timestamp) -> float:
    return float(stamp.seconds + stamp.nanos / 1e9)
