"""Where the real code reaches for the operating system, it gets the simulation; what it logs as an error is an error."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from crossfleet.coordinator import opening
from crossfleet.coordinator.election import etcd as etcd_election
from crossfleet.coordinator.election import roll as etcd_roll
from crossfleet.coordinator.election import session as etcd_session
from crossfleet.coordinator.roles import terms
from crossfleet.coordinator.scheduling import link as scheduler_link
from crossfleet.foundation import logs
from crossfleet.foundation.etcd import calls as etcd_calls
from crossfleet.foundation.etcd import members as etcd_members
from crossfleet.foundation.retry import delays
from crossfleet.worker import assembly
from crossfleet.worker import connection as worker_connection
from crossfleet.worker import identity as worker_identity
from crossfleet.worker import lasting as worker_lasting
from tests.simulation.loop import current
from tests.simulation.network import Channel
from tests.simulation.wires import Wire

_HOP = 0.0005  # simulated seconds: no test waits for them


@contextmanager
def applied(world: Any) -> Iterator[None]:
    """For as long as one seed runs."""
    clock = SimpleNamespace(monotonic=world.loop.time, time=world.loop.time)
    wire = Wire(world.chance.stream("scheduler wire"))

    def open_channel(address: str, **_: object) -> Channel:
        dialler = current()
        return Channel(world.network, wire, dialler.machine.name if dialler else "", lambda: world.server(address))

    def members(_: object) -> tuple[etcd_members.Member]:
        dialler = current()
        name = dialler.machine.name if dialler else ""
        coordinator = next(one for one in world.coordinators if one.name == name)
        return (etcd_members.Member("etcd:1", coordinator.etcd_channel()),)

    jitter = world.chance.stream("jitter")

    def pauses(*, first: float = 0.05, longest: float = 2.0, **_: object) -> Iterator[float]:
        return delays(first=first, longest=longest, draw=jitter.random)

    def wall() -> float:
        dialler = current()
        name = dialler.machine.name if dialler else ""
        return float(next(one for one in world.coordinators if one.name == name).clock.now())

    def write(self: logs.Logger, level: str, event: str, keys: dict[str, object], *rest: object) -> None:
        _logged(world, level, event, keys, *rest)

    with ExitStack() as stack:
        stack.enter_context(patch.object(worker_connection, "probe", _probe))
        stack.enter_context(patch.object(worker_connection, "time", clock))
        stack.enter_context(patch.object(worker_lasting, "time", clock))
        stack.enter_context(patch.object(assembly, "resident_bytes", lambda *_: 1))
        stack.enter_context(patch.object(worker_identity, "version", lambda _: "1"))
        stack.enter_context(patch.object(worker_identity, "platform", SimpleNamespace(node=world.node)))
        stack.enter_context(patch.object(scheduler_link, "open_channel", open_channel))
        stack.enter_context(patch.object(etcd_members, "_open_members", members))
        for module in (etcd_calls, etcd_election, etcd_session, etcd_roll, terms):
            stack.enter_context(patch.object(module, "delays", pauses))
        stack.enter_context(patch.object(opening, "time", SimpleNamespace(time=wall, perf_counter=world.loop.time)))
        stack.enter_context(patch.object(logs.Logger, "_write", write))
        yield


def _logged(world: Any, level: str, event: str, keys: dict[str, object], *rest: object) -> None:
    error = keys.get("exc_info") or next(iter(rest), None)
    if level == "error" and error and "the ledger ends" not in event:
        text = error if isinstance(error, BaseException) else ""
        world.violate(f"logged: {event} ({type(text).__name__}: {text})")
    if level in {"warning", "error"}:
        world.note("log", event)


async def _probe(address: str) -> None:
    await asyncio.sleep(_HOP)
