"""One round: the leader gets a signal, and when each thing that must follow has happened is read from logs and events."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

from benchmarks.failover.cluster import NAMES, Cluster
from benchmarks.failover.suites import single, steady
from crossfleet.api.coordinator.v1 import event_service_pb2 as event_pb2
from crossfleet.api.coordinator.v1 import run_service_pb2 as run_service
from crossfleet.client import Client
from crossfleet.foundation.etcd.client import EtcdClient
from tests.real.coordinators import LEASE_SECONDS

_LIMIT = 30.0


@dataclass(frozen=True, slots=True)
class Round:
    """Seconds from the signal to each of these. `elected`, `leads`: the next leader's words.

    `task`: it has put a task on a slot that its predecessor had given to the run. `submitted`, `placed`: a run that a client
    submitted right after the signal was accepted, and has a slot.
    """

    key_gone: float
    elected: float
    leads: float
    scheduler: float
    worker: float
    task: float
    submitted: float
    placed: float


async def measure(cluster: Cluster, client: Client, etcd: EtcdClient, number: int) -> Round:
    """Signals the leader, waits for what follows, starts it again."""
    first = await cluster.leader()
    running = await client.runs.submit(steady(cluster.folder / "steady"))
    events = _events(client, running)
    await _first(events, "cases_finished", 0.0)
    await asyncio.sleep(random.random() * LEASE_SECONDS)  # the lease was renewed some time ago
    key = asyncio.ensure_future(_key_gone(etcd))
    await asyncio.sleep(0.05)
    begun = time.time()
    cluster.services[first].process.send_signal(number)
    submitting = asyncio.ensure_future(_submit(client))
    others = [name for name in NAMES if name != first]
    leads, said = await cluster.logged(others, "leads", begun)
    scheduler, _ = await cluster.logged(others, "scheduler connected", begun)
    worker, _ = await cluster.logged(["w1"], "joined the fleet", leads)
    task = await _first(events, "tasks_assigned", leads)
    submitted, placed = await submitting
    await client.runs.cancel(running.run.run_id, "the round is over")
    await cluster.services[first].process.wait()
    await cluster.start(first)
    await cluster.settled(1)
    elected = leads - float(str(said["take_over_seconds"]))
    moments = (await key, elected, leads, scheduler, worker, task, submitted, placed)
    return Round(*(at - begun for at in moments))


async def _key_gone(etcd: EtcdClient) -> float:
    """When the leader's key has gone from etcd."""
    prefix = "/crossfleet/default/leader/"
    listing = await etcd.get_prefix(prefix)
    leading = min(listing.kvs, key=lambda kv: kv.create_revision).key
    async with aclosing(etcd.watch_prefix(prefix, start_revision=listing.revision + 1)) as changes:
        async for change in changes:
            if any(event.kv.key == leading and event.type for event in change.events):
                return time.time()
    raise RuntimeError("the watch of etcd ended")


async def _submit(client: Client) -> tuple[float, float]:
    """When a run that is submitted now was accepted, and when it had a slot."""
    answer = await client.runs.submit(single())
    accepted = time.time()
    return accepted, await _first(_events(client, answer), "allocation_opened", 0.0)


def _events(client: Client, of: run_service.SubmitRunResponse) -> AsyncIterator[event_pb2.Event]:
    return client.events.watch(after=of.event_cursor, run_id=of.run.run_id)


async def _first(events: AsyncIterator[event_pb2.Event], kind: str, after: float) -> float:
    """When the first event of a kind was committed that is not older than `after`."""
    async with asyncio.timeout(_LIMIT):
        async for event in events:
            at = event.at.ToNanoseconds() / 1e9
            if event.WhichOneof("kind") == kind and at >= after:
                return at
    raise RuntimeError(f"the events ended before {kind}")
