"""How long nobody decides when the leader is killed, and when it is told to stop; what that time is spent on.

    python -m benchmarks.failover [--quick] [--rounds N]

Three coordinators with a lease of 2 s, three etcd members, PostgreSQL, a scheduler, a worker: all on this machine, the
coordinators on TCP. In each round the leader is killed at a random moment, while one test of a run is executing, another run
waits for its next task and a client submits a third; then the same with SIGTERM. From the signal to the first task that the
next leader puts on a slot is the figure. The floor is the bare election: the same etcd and lease, processes that do nothing
else. Rounds of both are interleaved. One test executes through all rounds: its process must stay the same. Exits 1 where a
goal is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from signal import SIGKILL, SIGTERM

from benchmarks.failover.bare import BareElection
from benchmarks.failover.cluster import NAMES, Cluster
from benchmarks.failover.rounds import Round, measure
from benchmarks.failover.suites import Lasting
from benchmarks.measuring import machine, middle, verdict
from crossfleet.client import Client
from crossfleet.foundation.etcd.client import EtcdClient
from crossfleet.foundation.etcd.settings import EtcdSettings
from crossfleet.foundation.wait import eventually
from tests.real import etcd
from tests.real.coordinators import LEASE_SECONDS
from tests.real.postgres import PostgresServer

GOAL_KILLED = LEASE_SECONDS + 1.0
GOAL_TOLD = 0.2
_SIGNALS = {"SIGKILL": SIGKILL, "SIGTERM": SIGTERM}


@dataclass(slots=True)
class Found:
    """What the rounds of one signal gave, in seconds."""

    rounds: list[Round] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; answers the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.failover", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="three rounds")
    parser.add_argument("--rounds", type=int, default=20, help="rounds of each signal; default 20")
    options = parser.parse_args(arguments)
    rounds = 3 if options.quick else options.rounds
    if not shutil.which("etcd"):
        parser.error("etcd is not on PATH: tools/install_etcd puts it into .tools/bin")
    print(f"failover: {machine()}; lease {LEASE_SECONDS} s, {rounds} rounds of each signal")
    with (
        tempfile.TemporaryDirectory(prefix="cf-bench-", ignore_cleanup_errors=True) as name,
        etcd.running(Path(name), nodes=3) as members,
        PostgresServer() as postgres,
    ):
        cluster = Cluster(Path(name), members.endpoints, postgres.create("failover"))
        found, executions = asyncio.run(_measured(cluster, rounds))
    return _report(found, executions)


async def _measured(cluster: Cluster, rounds: int) -> tuple[dict[str, Found], list[str]]:
    """What was found, and the processes of the test that executed through all of it."""
    found = {name: Found() for name in _SIGNALS}
    lasting = Lasting(cluster.folder / "lasting")
    async with _running(cluster) as (client, watcher, bare):
        submitted = await client.runs.submit(lasting.spec())
        await eventually(lasting.processes, deadline=30.0, what="the lasting test has begun")
        for _ in range(rounds):
            for name, number in _SIGNALS.items():
                found[name].floor.append(await bare.passes(number))
                found[name].rounds.append(await measure(cluster, client, watcher, number))
        lasting.end()
        events = client.events.watch(after=submitted.event_cursor, run_id=submitted.run.run_id, until_finished=True)
        last = [event async for event in events][-1].run_finished.run
        if (last.counts.passed, last.counts.total) != (1, 1):
            raise RuntimeError(f"the lasting test did not pass: {last}")
    return found, lasting.processes()


@asynccontextmanager
async def _running(cluster: Cluster) -> AsyncIterator[tuple[Client, EtcdClient, BareElection]]:
    watcher = EtcdClient(EtcdSettings(endpoints=cluster.endpoints))
    bare = BareElection(cluster.endpoints)
    try:
        await cluster.start_scheduler()
        for name in NAMES:
            await cluster.start(name)
        await cluster.start_worker()
        await cluster.settled(1)
        await bare.start()
        async with Client.open(cluster.endpoint) as client:
            yield client, watcher, bare
    finally:
        await bare.stop()
        await watcher.close()
        await cluster.stop()


def _report(found: dict[str, Found], executions: list[str]) -> int:
    print(f"  seconds from the signal to{'':16}{'median':>8}{'p90':>8}{'max':>8}")
    for name, one in found.items():
        print(f"  {name}")
        for part in fields(Round):
            _row(_LABELS[part.name], [getattr(each, part.name) for each in one.rounds])
        _row("floor: the bare election", one.floor)
        ratio = _task(one) / middle(one.floor)
        print(f"    first task to the floor: {ratio:.2f} (and {(_task(one) - middle(one.floor)) * 1e3:+.0f} ms)")
    processes = len(set(executions))
    print(f"  the test that executed meanwhile: {len(executions)} execution, {processes} process")
    met = verdict("killed leader to the first new task, median", _task(found["SIGKILL"]), GOAL_KILLED, " s")
    met &= verdict("told leader to the first new task, median", _task(found["SIGTERM"]) * 1e3, GOAL_TOLD * 1e3, " ms")
    met &= verdict("executions of the test that executed meanwhile", len(executions), 1)
    return 0 if met else 1


_LABELS = {
    "key_gone": "its key is gone from etcd",
    "elected": "the next one is elected",
    "leads": "... leads (ledger taken and loaded)",
    "scheduler": "... has its scheduler",
    "worker": "the worker is back",
    "task": "the first new task is on a slot",
    "submitted": "a client's submission is accepted",
    "placed": "... and has a slot",
}


def _task(found: Found) -> float:
    return middle([one.task for one in found.rounds])


def _row(label: str, seconds: Sequence[float]) -> None:
    ordered = sorted(seconds)
    high = ordered[min(len(ordered) - 1, round(0.9 * (len(ordered) - 1)))]
    print(f"    {label:38}{middle(ordered):8.3f}{high:8.3f}{ordered[-1]:8.3f}")


if __name__ == "__main__":
    sys.exit(main())
