"""Tasks of one no-op case each on a warm fleet: submitted, executed in the agent, committed."""

from __future__ import annotations

import time

from benchmarks.warm_fleet import WarmFleet
from crossfleet.api.types.v1 import run_pb2, suite_pb2
from crossfleet.client import Client, Endpoint

SLOTS = 64
_WARMING = 30


async def many(fleet: WarmFleet, tasks: int) -> float:
    """Seconds from the submission of one run of `tasks` tasks until its committed end is known here."""
    async with Client.open(Endpoint(fleet.address)) as client:
        await _one_run(client, 100, SLOTS)
        return await _one_run(client, tasks, SLOTS)


async def single(fleet: WarmFleet, rounds: int) -> list[float]:
    """Seconds of each of `rounds` runs of a single task, one after the other, on an idle fleet that has run some."""
    async with Client.open(Endpoint(fleet.address)) as client:
        for _ in range(_WARMING):
            await _one_run(client, 1, 1)
        return [await _one_run(client, 1, 1) for _ in range(rounds)]


async def _one_run(client: Client, tasks: int, slots: int) -> float:
    spec = run_pb2.RunSpec(
        title="throughput",
        suite=suite_pb2.Suite(name="throughput", runner="noop", cases=[f"case-{number}" for number in range(tasks)]),
        workspace=suite_pb2.Workspace(none=True),
        targets=[suite_pb2.Target(name="any", request=suite_pb2.Request(slots_max=slots))],
        policy=suite_pb2.Policy(max_cases_per_task=1),
    )
    begun = time.perf_counter()
    answer = await client.runs.submit(spec)
    events = client.events.watch(after=answer.event_cursor, run_id=answer.run.run_id, until_finished=True)
    run = None
    async for event in events:
        if event.HasField("run_finished"):
            run = event.run_finished.run
    seconds = time.perf_counter() - begun
    if run is None or run.verdict != run_pb2.RUN_VERDICT_PASSED or run.counts.passed != tasks:
        raise RuntimeError(f"the run did not pass with {tasks} cases: {run}")
    return seconds
