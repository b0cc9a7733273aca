"""Coordinators that share a real PostgreSQL and a real etcd, as processes that can be killed and frozen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from crossfleet.api.coordinator.v1 import fleet_service_pb2 as fleet_pb2
from crossfleet.api.coordinator.v1.fleet_service_pb2_grpc import FleetServiceStub
from crossfleet.foundation.channel import open_channel
from crossfleet.foundation.wait import eventually
from tests.integration.processes import Service, start_service

LEASE_SECONDS = 2
"""Of the leader: the shortest that leaves etcd time to answer on a busy machine."""


@dataclass
class Coordinators:
    """Those of one election, by name. Each has a data folder and a socket of its own below `folder`."""

    folder: Path
    endpoints: str
    database: str
    flags: tuple[str, ...] = ()
    services: dict[str, Service] = field(default_factory=dict)
    workers: dict[str, Service] = field(default_factory=dict)
    scheduler: Service | None = None

    def address(self, name: str) -> str:
        """Where it serves."""
        return f"unix:{self.folder}/{name}.s"

    @property
    def addresses(self) -> str:
        """All of them, as the setting of clients and workers has it."""
        return ",".join(self.address(name) for name in self.services)

    def flags_of(self, name: str) -> list[str]:
        """What one is started with."""
        given = {
            "data": f"{self.folder}/{name}",
            "listen": self.address(name),
            "database": self.database,
            "etcd-endpoints": self.endpoints,
            "leader-lease-seconds": LEASE_SECONDS,
            "scheduler": f"unix:{self.folder}/scheduler.s",
            "log-format": "console",
        }
        words = [word for key, value in given.items() for word in (f"--{key}", str(value))]
        return [*words, "--embedded", *self.flags]

    async def start(self, name: str, *flags: str) -> Service:
        """Begin; also again, after it was ended."""
        service = await start_service(
            "coordinator", *self.flags_of(name), *flags, log=self.folder / f"{name}.log", name_of=name
        )
        self.services[name] = service
        return service

    async def start_scheduler(self) -> Service:
        """The default one, for whoever leads."""
        address = f"unix:{self.folder}/scheduler.s"
        self.scheduler = await start_service("scheduler", "--listen", address, log=self.folder / "scheduler.log")
        return self.scheduler

    async def start_worker(self, name: str = "w1", slots: int = 2) -> Service:
        """One that knows all coordinators there are."""
        state = self.folder / name
        self.workers[name] = await start_service(
            "worker",
            *("--coordinator", self.addresses, "--name", name, "--slots", str(slots), "--embedded"),
            *("--state", str(state), "--cache", str(self.folder / "cache")),
            log=self.folder / f"{name}.log",
            name_of=name,
        )
        return self.workers[name]

    async def settled(self, workers: int, *but: str) -> None:
        """Wait until somebody other than `but` leads, who has the scheduler and so many workers."""

        async def there() -> bool:
            found = await self.asked(await self.leader(*but))
            return found.scheduler_connected and found.workers_by_state.get("WORKER_STATE_READY", 0) >= workers

        await eventually(there, deadline=30.0, what=f"a leader, a scheduler and {workers} workers")

    @asynccontextmanager
    async def channel(self, name: str) -> AsyncIterator[grpc.aio.Channel]:
        """To one of them."""
        async with open_channel(self.address(name)) as channel:
            yield channel

    async def asked(self, name: str) -> fleet_pb2.GetFleetResponse:
        """What one says of the fleet."""
        async with self.channel(name) as channel:
            return await FleetServiceStub(channel).GetFleet(fleet_pb2.GetFleetRequest(), timeout=5)

    async def leads(self, name: str) -> bool:
        """Whether it leads, by its health; False for one that is gone."""
        async with self.channel(name) as channel:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            request = health_pb2.HealthCheckRequest(service="crossfleet.leader")
            try:
                return (await stub.Check(request, timeout=1)).status == health_pb2.HealthCheckResponse.SERVING
            except grpc.RpcError:
                return False

    async def leader(self, *but: str, seconds: float = 20.0) -> str:
        """The name of the leader, once there is one other than `but`."""

        async def found() -> str:
            names = [name for name in self.services if name not in but]
            leading = await asyncio.gather(*map(self.leads, names))
            return next((name for name, leads in zip(names, leading, strict=True) if leads), "")

        return await eventually(found, deadline=seconds, what="somebody leads")

    async def end(self, name: str, number: int = SIGTERM) -> int:
        """Signal it and wait for its end."""
        return await self.services[name].end(number)

    async def kill(self, name: str) -> None:
        """SIGKILL."""
        await self.end(name, SIGKILL)

    def freeze(self, name: str) -> None:
        """SIGSTOP."""
        self.services[name].process.send_signal(SIGSTOP)

    def thaw(self, name: str) -> None:
        """SIGCONT."""
        self.services[name].process.send_signal(SIGCONT)

    async def stop(self) -> None:
        """End all."""
        every = [*self.workers.values(), *self.services.values(), *([self.scheduler] if self.scheduler else [])]
        for service in every:
            if service.process.returncode is None:
                service.process.send_signal(SIGCONT)
        await asyncio.gather(*(service.end() for service in every))
