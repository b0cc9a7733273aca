"""A thousand workers on this machine: tasks a second, and how soon an interactive run begins beside them.

    python -m benchmarks.fleet_load [--workers N] [--slots N] [--tasks N] [--rounds N] [--quick]

The workers are sessions in two processes, which end a task as soon as it arrives; coordinator, scheduler, ledger and
messages are the real ones. A run of one-case tasks takes nine tenths of the workers, all of one process; beside it short
runs of higher priority are submitted one after the other, and timed from their submission to the arrival of their first
task at a worker, stage by stage. Beside those stands what a call that does nothing takes, and a message of a worker that has no
tasks with its empty answer. Then the same with an external scheduler that takes 200 ms for each cycle. Rounds are
interleaved; tasks a second are medians. Exits 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.fleet_load.processes import fleet, workers
from benchmarks.fleet_load.short_runs import STAGES, Beside
from benchmarks.fleet_load.told import Told
from benchmarks.measuring import machine, middle, part_of, verdict
from benchmarks.warm_fleet import WarmFleet
from crossfleet.client import Client, Endpoint

GOAL_TASKS = 3000.0
GOAL_FIRST = 0.100
GOAL_SLOW = 0.9
SLOW_SECONDS = 0.2
_SHARE = 0.9


@dataclass(slots=True)
class Side:
    """What was seen under one scheduler: tasks a second of each round, and what went on beside."""

    label: str
    pause: float
    rates: list[float] = field(default_factory=list)
    beside: Beside = field(default_factory=Beside)

    def seconds(self, stage: str) -> list[float]:
        """Of each short run."""
        return [STAGES[stage](one) for one in self.beside.runs]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; answers the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet_load", description=__doc__.split("\n\n")[0])
    parser.add_argument("--workers", type=int, default=1000, help="default 1000")
    parser.add_argument("--slots", type=int, default=4, help="of each worker; default 4")
    parser.add_argument("--tasks", type=int, default=60_000, help="of the long run; default 60000")
    parser.add_argument("--rounds", type=int, default=3, help="default 3")
    parser.add_argument("--quick", action="store_true", help="one round of 30000 tasks on a hundred workers")
    options = parser.parse_args(arguments)
    count, tasks, rounds = (100, 30_000, 1) if options.quick else (options.workers, options.tasks, options.rounds)
    print(f"fleet_load: {machine()}; {count} workers of {options.slots} slots, {tasks} tasks a round, {rounds} rounds")
    usual = Side("the default scheduler", 0.0)
    slow = Side(f"one that takes {SLOW_SECONDS * 1e3:.0f} ms", SLOW_SECONDS)
    for _ in range(rounds):
        for side in (usual, slow):
            with fleet(side.pause) as running, workers(running, count, options.slots) as processes:
                asyncio.run(_round(side, running, processes, tasks, int(count * options.slots * _SHARE)))
    return _report(usual, slow)


async def _round(
    side: Side, fleet: WarmFleet, processes: Sequence[subprocess.Popen[bytes]], tasks: int, slots: int
) -> None:
    told = Told(processes)
    async with told.reading(), Client.open(Endpoint(fleet.address)) as client:
        await _load(fleet, "warming", 200, 8)
        load = asyncio.ensure_future(_load(fleet, "load", tasks, slots))
        await side.beside.follow(load, client, fleet.address, told)
        side.rates.append(tasks / await load)


async def _load(fleet: WarmFleet, name: str, tasks: int, slots: int) -> float:
    """Seconds that a run took. Raises RuntimeError when it did not pass."""
    words = [fleet.address, name, str(tasks), str(slots)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.fleet_load.load", *words, stdout=subprocess.PIPE
    )
    told, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the run {name} did not pass")
    return float(told)


def _report(usual: Side, slow: Side) -> int:
    for side in (usual, slow):
        print(f"{side.label}: {middle(side.rates):.0f} tasks/s; beside that {len(side.beside.runs)} short runs, in ms:")
        print(f"  {'':36}{'p50':>8}{'p90':>8}{'p99':>8}")
        rows = {stage: side.seconds(stage) for stage in STAGES}
        rows |= {
            "a call that does nothing": side.beside.calls,
            "a worker's message and its answer": side.beside.echoes,
        }
        for label, values in rows.items():
            parts = (part_of(values, part) * 1e3 for part in (0.5, 0.9, 0.99))
            print(f"  {label:36}" + "".join(f"{one:8.1f}" for one in parts))
    first = part_of(usual.seconds(next(iter(STAGES))), 0.99)
    print(
        f"p99 of a short run's beginning to that of a call that does nothing: {first / part_of(usual.beside.calls, 0.99):.1f}"
    )
    met = verdict("tasks a second", middle(usual.rates), GOAL_TASKS, at_least=True)
    met &= verdict("submission to first task of an interactive run, p99", first * 1e3, GOAL_FIRST * 1e3, " ms")
    ratio = middle(slow.rates) / middle(usual.rates)
    met &= verdict("tasks a second under the slow scheduler, to the default", ratio, GOAL_SLOW, at_least=True)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
