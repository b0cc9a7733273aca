"""How long a new leader takes to load what is unfinished from PostgreSQL.

    python -m benchmarks.recovery [--quick] [--rounds N]

A PostgreSQL of its own is filled by real commands: tasks of one case each, queued, running on slots, and finished in runs
that are still open (their facts are evolved again). Then fresh processes take it over, one after the other; the table shows
medians in seconds. Exits 1 where 100,000 queued and 10,000 running tasks take more than 5 seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measuring import machine, middle, verdict
from benchmarks.recovery.filling import Size, fill
from crossfleet.coordinator.ledger.postgres import PostgresAddress
from crossfleet.coordinator.ledger.sql import SqlStore
from tests.real.postgres import PostgresServer

GOAL_SECONDS = 5.0
_GOAL_SIZE = Size(100_000, 10_000, 50_000)
_SIZES = (Size(10_000, 1_000, 5_000), Size(100_000, 10_000, 0), _GOAL_SIZE)
_PARTS = ("import", "connect", "take over", "read", "evolve", "total")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; answers the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recovery", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="one round of the smallest size; no goal")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; default 3")
    options = parser.parse_args(arguments)
    sizes, rounds = (_SIZES[:1], 1) if options.quick else (_SIZES, options.rounds)
    print(f"recovery: {machine()}; PostgreSQL on this machine, {rounds} rounds")
    print(f"  {'queued':>8}{'running':>9}{'finished':>10}" + "".join(f"{part:>11}" for part in _PARTS) + "   tasks/s")
    met = True
    with PostgresServer() as server:
        for number, size in enumerate(sizes):
            total = _measure(server, f"recovery_{number}", size, rounds)
            if size == _GOAL_SIZE:
                met = verdict("100,000 queued and 10,000 running tasks", total, GOAL_SECONDS, " s")
    return 0 if met else 1


def _measure(server: PostgresServer, name: str, size: Size, rounds: int) -> float:
    """Seconds of a whole recovery; prints its row."""
    url = server.create(name)
    with contextlib.closing(SqlStore.postgres(PostgresAddress(url))) as store:
        fill(store, size)
    found = [_recover(url) for _ in range(rounds)]
    if (found[0]["queued"], found[0]["running"]) != (size.queued, size.running):
        raise RuntimeError(f"something else was loaded than {size}: {found[0]}")
    parts = {part: middle([one[part] for one in found]) for part in _PARTS}
    tasks = size.queued + size.running + size.finished
    figures = "".join(f"{parts[part]:11.3f}" for part in _PARTS)
    print(f"  {size.queued:8}{size.running:9}{size.finished:10}{figures}{tasks / parts['total']:10.0f}")
    return parts["total"]


def _recover(url: str) -> dict[str, float]:
    script = Path(__file__).with_name("loading_side.py")
    done = subprocess.run([sys.executable, str(script), url], capture_output=True, text=True, timeout=120, check=True)
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


if __name__ == "__main__":
    sys.exit(main())
