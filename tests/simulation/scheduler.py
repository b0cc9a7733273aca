"""A simulated scheduler process around the real stream; it may be slow, and it may go mad."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random
from typing import Any

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.scheduler.core.model import Policy
from crossfleet.scheduler.recorder import NullRecorder
from crossfleet.scheduler.stream import Stream
from tests.simulation.clock import SimClock
from tests.simulation.network import Server


class SimScheduler:
    """Answers Describe and Schedule.

    `mad_until`: plans ask for more than there is; `slow_until`: they come late; `mute_until`: they do not come before;
    `confused_until`: they rest on what was never said; `absent_until`: they are empty.
    """

    def __init__(self, world: Any, name: str = "scheduler") -> None:
        self._world, self.name = world, name
        self._random: Random = world.chance.stream(name)
        self._machine = world.machine(name)
        self._behave()
        self.withheld = False
        """Reasons that it believes to have told were never said."""
        self._starts = 0
        self.server: Server | None = None

    def start(self) -> None:
        """A new process serves from now on."""
        if self.server is not None and self.server.process.alive:
            return
        self._starts += 1
        process = self._world.loop.process(f"{self.name} {self._starts}", self._machine)
        self.server = Server(self._world.network, process, self.name)
        self.server.calls["Describe"] = self._describe
        self.server.streams["Schedule"] = self._schedule

    def crash(self, seconds: float) -> None:
        """Die, and come back later."""
        if self.server is not None:
            self.server.process.crash()
        self._world.loop.outside(self._world.loop.now + seconds, self.start)

    @property
    def well(self) -> bool:
        """Whether it serves, and behaves."""
        wrong_until = max(self.mad_until, self.slow_until, self.mute_until, self.confused_until, self.absent_until)
        process = self.server.process if self.server is not None else None
        return process is not None and process.alive and not process.paused and self._world.loop.now > wrong_until

    def freeze(self, seconds: float) -> None:
        """Stand still, and go on later."""
        if self.server is not None:
            self.server.process.pause()
            self._world.loop.outside(self._world.loop.now + seconds, self.server.process.resume)

    def heal(self) -> None:
        """Serve, and behave."""
        self._behave()
        if self.server is not None and self.server.process.alive:
            self.server.process.resume()
        self.start()

    def _behave(self) -> None:
        self.mad_until = self.slow_until = self.mute_until = self.confused_until = self.absent_until = 0.0

    async def _describe(self, request: Any) -> scheduler_pb2.DescribeResponse:
        return scheduler_pb2.DescribeResponse(name="simulated", version="1")

    async def _schedule(self, updates: AsyncIterator[Any]) -> AsyncIterator[Any]:
        loop = self._world.loop
        async for plan in Stream(Policy(), SimClock(loop), NullRecorder()).answers(updates):
            if loop.now < self.slow_until:
                await asyncio.sleep(self._random.random() * 1.5)
            if loop.now < self.mad_until:
                self._derange(plan)
            if loop.now < self.confused_until:
                plan.base_revision += 1000
            if loop.now < self.absent_until:
                self.withheld = True
                for field in ("allocate", "revoke_allocation_ids", "waiting"):
                    plan.ClearField(field)
            # It hangs: what it was about to say comes later, or never, but is not lost on the way.
            await asyncio.sleep(max(self.mute_until - loop.now, 0.0))
            yield plan

    def _derange(self, plan: scheduler_pb2.ScheduleResponse) -> None:
        random, hosts = self._random, self._world.hosts
        for one in list(plan.allocate):
            if random.random() < 0.5:
                one.slots = min(one.slots * 3, 4000)
            if random.random() < 0.5:
                plan.allocate.append(one)
            if random.random() < 0.3:
                one.worker_id = random.choice(hosts).name
            if one.device_ids and random.random() < 0.5:
                one.device_ids[0] = random.choice(hosts).name + "-gpu0"
        if random.random() < 0.2:
            state = self._world.leading.writer.state if self._world.leading is not None else None
            plan.revoke_allocation_ids.extend(sorted(state.allocations)[:1] if state is not None else [])
