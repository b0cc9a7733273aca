"""Carrying faults out on a real cluster."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from signal import SIGCONT, SIGHUP, SIGKILL, SIGSTOP, SIGTERM
from typing import TypeVar

from crossfleet.foundation.wait import eventually
from tests.chaos.faults import KINDS, Fault
from tests.faults.leftovers import processes_of, shims_of
from tests.real.cluster import COORDINATORS, SCHEDULERS, WORKERS, Cluster

T = TypeVar("T")


class Inflictor:
    """What each kind of fault does. What is killed is started again by its supervisor, or here where it has none."""

    def __init__(self, cluster: Cluster) -> None:
        """Of one cluster."""
        self._cluster = cluster
        self._areas: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._deeds: dict[str, Callable[[Fault], Awaitable[None]]] = {
            "kill the leader": lambda fault: self._leader(SIGKILL),
            "restart the leader": lambda fault: self._leader(SIGTERM),
            "kill a follower": self._kill_follower,
            "kill all coordinators": lambda fault: self._signal(COORDINATORS, SIGKILL),
            "kill an agent": lambda fault: self._signal([_one(WORKERS, fault)], SIGKILL),
            "restart an agent": lambda fault: self._signal([_one(WORKERS, fault)], SIGHUP),
            "kill a shim": self._kill_shim,
            "kill a worker with its tests": self._kill_worker,
            "kill a scheduler": lambda fault: self._signal([_one(SCHEDULERS, fault)], SIGKILL),
            "kill the gateway": lambda fault: self._signal(["gateway"], SIGKILL),
            "kill a member of etcd": lambda fault: self._kill_members(fault, 1),
            "kill two members of etcd": lambda fault: self._kill_members(fault, 2),
            "kill PostgreSQL": lambda fault: self._end_postgres(fault, self._cluster.postgres.kill),
            "restart PostgreSQL": lambda fault: self._end_postgres(fault, self._cluster.postgres.stop),
            "freeze the leader shortly": self._freeze_leader,
            "freeze the leader over its lease": self._freeze_leader,
            "freeze a worker shortly": self._freeze_worker,
            "freeze a worker over its lease": self._freeze_worker,
            "freeze an agent over its lease": lambda fault: self._freeze(_one(WORKERS, fault), fault.seconds),
            "freeze a scheduler": lambda fault: self._freeze(_one(SCHEDULERS, fault), fault.seconds),
            "freeze a member of etcd": self._freeze_member,
            "freeze PostgreSQL": self._freeze_postgres,
        }
        assert self._deeds.keys() == KINDS.keys()

    async def inflict(self, fault: Fault) -> None:
        """Do it, and undo what does not undo itself. Of one area, such as etcd, one at a time."""
        async with self._areas[fault.area]:
            await self._deeds[fault.kind](fault)

    async def _signal(self, names: Iterable[str], number: int) -> None:
        """To living processes: one that is being restarted is waited for."""
        parts = [self._cluster.parts[name] for name in names]
        await asyncio.gather(*(part.living() for part in parts))
        for part in parts:
            part.signal(number)

    async def _leader(self, number: int) -> None:
        await self._signal([await self._cluster.leader()], number)

    async def _kill_follower(self, fault: Fault) -> None:
        leader = await self._cluster.leader()
        await self._signal([_one([name for name in COORDINATORS if name != leader], fault)], SIGKILL)

    async def _kill_shim(self, fault: Fault) -> None:
        name = _one(WORKERS, fault)
        await self._cluster.parts[name].living()
        place = self._cluster.folder / name
        _send(await eventually(lambda: shims_of(place), deadline=40, what=f"{name} has a shim"), SIGKILL)

    async def _kill_worker(self, fault: Fault) -> None:
        """As a power cut of its host: the agent, the shim and what it runs."""
        name = _one(WORKERS, fault)
        await self._cluster.parts[name].living()
        while left := processes_of(self._cluster.folder / name):
            _send(left, SIGKILL)
            await asyncio.sleep(0)

    async def _kill_members(self, fault: Fault, count: int) -> None:
        nodes = self._cluster.electors.nodes
        chosen = [nodes[(fault.member + each) % len(nodes)] for each in range(count)]
        for node in chosen:
            await asyncio.to_thread(node.kill)
        await asyncio.sleep(fault.seconds)
        for node in chosen:
            node.start()
        for node in chosen:
            await asyncio.to_thread(node.wait_ready)

    async def _end_postgres(self, fault: Fault, end: Callable[[], None]) -> None:
        await asyncio.to_thread(end)
        await asyncio.sleep(fault.seconds)
        await asyncio.to_thread(self._cluster.postgres.start)

    async def _freeze(self, name: str, seconds: float) -> None:
        part = self._cluster.parts[name]
        await part.living()
        part.signal(SIGSTOP)
        await asyncio.sleep(seconds)
        part.signal(SIGCONT)

    async def _freeze_leader(self, fault: Fault) -> None:
        await self._freeze(await self._cluster.leader(), fault.seconds)

    async def _freeze_worker(self, fault: Fault) -> None:
        """As a host that sleeps: all of its processes."""
        name = _one(WORKERS, fault)
        await self._cluster.parts[name].living()
        frozen = processes_of(self._cluster.folder / name)
        _send(frozen, SIGSTOP)
        try:
            await asyncio.sleep(fault.seconds)
        finally:
            _send(frozen, SIGCONT)

    async def _freeze_member(self, fault: Fault) -> None:
        node = _one(self._cluster.electors.nodes, fault)
        node.freeze()
        await asyncio.sleep(fault.seconds)
        node.thaw()

    async def _freeze_postgres(self, fault: Fault) -> None:
        self._cluster.postgres.freeze()
        await asyncio.sleep(fault.seconds)
        self._cluster.postgres.thaw()


def _one(parts: Iterable[T], fault: Fault) -> T:
    among: Sequence[T] = list(parts)
    return among[fault.member % len(among)]


def _send(processes: Iterable[int], number: int) -> None:
    for process in processes:
        try:
            os.kill(process, number)
        except ProcessLookupError:
            pass
