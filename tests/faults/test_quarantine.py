"""Hosts that fail in earnest: taken out, repaired, tried and back, while runs go on elsewhere."""

from __future__ import annotations

import asyncio
from pathlib import Path

from crossfleet.api.coordinator.v1 import event_service_pb2 as event_pb2
from crossfleet.api.types.v1 import device_pb2, run_pb2
from crossfleet.client import Client, Endpoint
from crossfleet.foundation.wait import eventually
from tests.faults.disks import fill
from tests.faults.gated import GatedSuite
from tests.faults.verdicts import check_all_passed_once, watched
from tests.integration.processes import Fleet

SOON = ("--quarantine-failures", "1", "--quarantine-rest-seconds", "0.2")


async def stages(client: Client, seen: list[str]) -> None:
    """Write down each step of the health of hosts."""
    async for event in client.events.watch():
        seen += [_step(event.worker_changed)] if event.worker_changed.health else []


def _step(change: event_pb2.WorkerChanged) -> str:
    return f"{change.worker_id} {change.health.removeprefix('HEALTH_STAGE_').lower()}"


async def test_a_host_without_room_is_taken_out_repaired_by_its_operators_command_and_comes_back(
    folder: Path, small_disk: Path, suite: GatedSuite
) -> None:
    suite.open()
    async with Fleet(folder, flags=SOON) as fleet:
        repair = ("--repair", "rm", "--repair", str(small_disk / "ballast"))
        await asyncio.gather(
            fleet.start("w1", 2, "--state", str(small_disk / "w1"), *repair), fleet.start_worker("w2", 2)
        )
        await fleet.settled(2)
        fill(small_disk)
        async with Client.open(Endpoint(f"unix:{folder}/c")) as client:
            seen: list[str] = []
            watching = asyncio.ensure_future(stages(client, seen))
            submitted = await client.runs.submit(suite.spec())

            events = await watched(client, submitted)
            await check_all_passed_once(client, events, suite)

            async def back() -> bool:
                worker = (await client.fleet.worker("w1")).worker
                return worker.state == device_pb2.WORKER_STATE_READY and "w1 testing" in seen

            await eventually(back, deadline=30, what="w1 is back")
            again = await client.runs.submit(suite.spec())
            assert (await watched(client, again))[-1].run_finished.run.verdict == run_pb2.RUN_VERDICT_PASSED
            health = (await client.fleet.worker("w1")).health[0]
            watching.cancel()
    assert not (small_disk / "ballast").exists(), "the repair command did not run"
    assert seen.index("w1 testing") < len(seen) - 1
    assert seen[-1] == "w1 well"
    assert health.rounds == 1


async def test_a_host_is_tried_with_one_task_of_a_run_that_waits_and_the_run_loses_nothing(
    folder: Path, suite: GatedSuite
) -> None:
    suite = GatedSuite(suite.folder, quick=4, gated=6).write()
    async with Fleet(folder) as fleet:
        await asyncio.gather(fleet.start("w1", 1), fleet.start_worker("w2", 1))
        await fleet.settled(2)
        async with Client.open(Endpoint(f"unix:{folder}/c")) as client:
            await client.fleet.quarantine("w2", "it is new")

            async def doubted() -> bool:
                return (await client.fleet.worker("w2")).worker.state == device_pb2.WORKER_STATE_READY

            await eventually(doubted, deadline=40, what="w2 is back: no task waits")
            submitted = await client.runs.submit(suite.spec())
            for number in range(2, suite.gated):
                suite.open(number)
            await suite.begun(0)
            await client.fleet.quarantine("w2", "it is new")
            suite.open(0)
            suite.open(1)
            events = await watched(client, submitted)
            await check_all_passed_once(client, events, suite)
            assert suite.repeated() == {}
            await eventually(doubted, deadline=40, what="w2 is back")
