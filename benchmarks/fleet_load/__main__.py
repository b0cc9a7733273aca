"""A thousand workers on this machine: tasks a second, and how soon an interactive run begins beside them.

    python -m benchmarks.fleet_load [--workers N] [--slots N] [--tasks N] [--rounds N] [--quick]

The workers are sessions in one process, which end a task as soon as it arrives; coordinator, scheduler, ledger and
messages are the real ones. A run of one-case tasks takes nine tenths of the slots; beside it short runs of higher
priority are submitted one after the other, and timed from their submission to the arrival of their first task at a
worker. Then the same with an external scheduler that takes 200 ms for each cycle. Rounds are interleaved; figures are
medians. Exits 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.environments import environment
from benchmarks.fleet_load.workers import LABEL
from benchmarks.measuring import machine, middle, verdict
from benchmarks.warm_fleet import WarmFleet
from crossfleet.api.types.v1 import run_pb2, suite_pb2
from crossfleet.client import Client, Endpoint

GOAL_TASKS = 3000.0
GOAL_FIRST = 0.100
GOAL_SLOW = 0.9
SLOW_SECONDS = 0.2
_SHARE = 0.9
_PAUSE = 0.05
_START_SECONDS = 60


@dataclass(slots=True)
class Side:
    """What was seen under one scheduler: tasks a second of each round, seconds until the first task of each short run."""

    rates: list[float] = field(default_factory=list)
    firsts: list[float] = field(default_factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; answers the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet_load", description=__doc__.split("\n\n")[0])
    parser.add_argument("--workers", type=int, default=1000, help="default 1000")
    parser.add_argument("--slots", type=int, default=4, help="of each worker; default 4")
    parser.add_argument("--tasks", type=int, default=60_000, help="of the long run; default 60000")
    parser.add_argument("--rounds", type=int, default=3, help="default 3")
    parser.add_argument("--quick", action="store_true", help="one round of few tasks on a hundred workers")
    options = parser.parse_args(arguments)
    workers, tasks, rounds = (100, 5_000, 1) if options.quick else (options.workers, options.tasks, options.rounds)
    print(
        f"fleet_load: {machine()}; {workers} workers of {options.slots} slots, {tasks} tasks a round, {rounds} rounds"
    )
    usual, slow = Side(), Side()
    for _ in range(rounds):
        for side, seconds in ((usual, 0.0), (slow, SLOW_SECONDS)):
            with _fleet(seconds) as fleet, _workers(fleet, workers, options.slots) as seen:
                asyncio.run(_round(side, fleet, seen, tasks, int(workers * options.slots * _SHARE)))
    return _report(usual, slow)


@contextlib.contextmanager
def _fleet(seconds: float) -> Iterator[WarmFleet]:
    """A fleet whose scheduler is the default one; with `seconds` behind a pause for each cycle."""
    with contextlib.ExitStack() as stack:
        scheduler = ""
        if seconds:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="cf-slow-"))
            behind, scheduler = f"unix:{folder}/behind.sock", f"unix:{folder}/slow.sock"
            stack.enter_context(_service("crossfleet.scheduler", "--listen", behind, "--log-level", "warning"))
            stack.enter_context(_service("benchmarks.fleet_load.slow_scheduler", scheduler, behind, str(seconds)))
        yield stack.enter_context(WarmFleet(1, scheduler=scheduler))


@contextlib.contextmanager
def _service(module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has said that it is ready, until the block ends. Raises RuntimeError where it did not."""
    command = [sys.executable, "-m", module, *arguments]
    root = Path(__file__).parents[2]
    # Unbuffered: what follows the first line is read by a loop.
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=environment(), cwd=root
    )
    assert process.stdout is not None
    try:
        if b"ready" not in process.stdout.readline():
            raise RuntimeError(f"{module} did not come up")
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Arrivals:
    """When the first task of each run arrived at a worker, in seconds of time.monotonic."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        """`process` prints a line for each."""
        self._process = process
        self._at: dict[str, float] = {}
        self._news = asyncio.Condition()

    async def read(self) -> None:
        """Until cancelled, or the process ends."""
        loop, stream = asyncio.get_running_loop(), asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), self._process.stdout)
        async for line in stream:
            run_id, seconds = line.decode().split()
            async with self._news:
                self._at[run_id] = float(seconds)
                self._news.notify_all()

    async def of(self, run_id: str) -> float:
        """Waits for a run's first task. Raises TimeoutError."""
        async with asyncio.timeout(_START_SECONDS), self._news:
            await self._news.wait_for(lambda: run_id in self._at)
            return self._at[run_id]


@contextlib.contextmanager
def _workers(fleet: WarmFleet, count: int, slots: int) -> Iterator[subprocess.Popen[bytes]]:
    with _service("benchmarks.fleet_load.workers", fleet.address, str(count), str(slots)) as process:
        yield process


async def _round(side: Side, fleet: WarmFleet, process: subprocess.Popen[bytes], tasks: int, slots: int) -> None:
    arrivals = Arrivals(process)
    reading = asyncio.ensure_future(arrivals.read())
    async with Client.open(Endpoint(fleet.address)) as client:
        await _finished(client, _spec("warming", 200, 8))
        begun = time.monotonic()
        long = asyncio.ensure_future(_finished(client, _spec("load", tasks, slots)))
        while not long.done():
            asked = time.monotonic()
            answer = await client.runs.submit(_spec("interactive", 1, 1, priority=100))
            arrived = await arrivals.of(answer.run.run_id)
            if not long.done():
                side.firsts.append(arrived - asked)
            await asyncio.sleep(_PAUSE)
        side.rates.append(tasks / (await long - begun))
    reading.cancel()


async def _finished(client: Client, spec: run_pb2.RunSpec) -> float:
    """Submits a run; when its end was known here. Raises RuntimeError when it did not pass."""
    answer = await client.runs.submit(spec)
    run = None
    async for event in client.events.watch(after=answer.event_cursor, run_id=answer.run.run_id, until_finished=True):
        if event.HasField("run_finished"):
            run = event.run_finished.run
    if run is None or run.counts.passed != len(spec.suite.cases):
        raise RuntimeError(f"the run did not pass: {run}")
    return time.monotonic()


def _spec(name: str, tasks: int, slots: int, *, priority: int = 0) -> run_pb2.RunSpec:
    return run_pb2.RunSpec(
        title=name,
        suite=suite_pb2.Suite(name=name, runner="noop", cases=[f"case-{number}" for number in range(tasks)]),
        workspace=suite_pb2.Workspace(none=True),
        targets=[
            suite_pb2.Target(
                name="any", selector=f'worker.labels["{LABEL}"] == "yes"', request=suite_pb2.Request(slots_max=slots)
            )
        ],
        policy=suite_pb2.Policy(max_cases_per_task=1, priority=priority),
    )


def _report(usual: Side, slow: Side) -> int:
    print(f"  {'':26}{'tasks/s':>10}{'first p50':>12}{'p99':>10}{'runs':>7}")
    for label, side in (("default scheduler", usual), (f"one that takes {SLOW_SECONDS * 1e3:.0f} ms", slow)):
        print(
            f"  {label:26}{middle(side.rates):10.0f}{middle(side.firsts) * 1e3:9.0f} ms{_p99(side.firsts) * 1e3:7.0f} ms"
            f"{len(side.firsts):7}"
        )
    ratio = middle(slow.rates) / middle(usual.rates)
    met = verdict("tasks a second", middle(usual.rates), GOAL_TASKS, at_least=True)
    met &= verdict(
        "submission to first task of an interactive run, p99", _p99(usual.firsts) * 1e3, GOAL_FIRST * 1e3, " ms"
    )
    met &= verdict("tasks a second under the slow scheduler, to the default", ratio, GOAL_SLOW, at_least=True)
    return 0 if met else 1


def _p99(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] if ordered else float("nan")


if __name__ == "__main__":
    sys.exit(main())
