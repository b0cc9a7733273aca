from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from crossfleet.api.types.v1 import result_pb2, run_pb2
from crossfleet.client import Client, Endpoint
from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.wait import eventually
from tests.faults.disks import fill
from tests.faults.gated import GatedSuite
from tests.faults.verdicts import causes, check_all_passed_once, watched
from tests.integration.processes import Fleet


class FleetOnDisk(Fleet):
    """A fleet whose data folder is the small disk."""

    async def start_coordinator(self, *flags: str):
        return await super().start_coordinator("--data", str(self.folder / "small"), *flags)


@pytest_asyncio.fixture
async def fleet(folder: Path, small_disk: Path) -> AsyncIterator[Fleet]:
    async with FleetOnDisk(folder) as running:
        await running.start()
        yield running


async def test_a_full_disk_refuses_what_is_new_and_answers_what_is_known(
    fleet: Fleet, client: Client, suite: GatedSuite, small_disk: Path
) -> None:
    suite.open()
    first = await client.runs.submit(suite.spec())
    await watched(client, first)

    ballast = fill(small_disk)
    with pytest.raises(CrossfleetError) as refused:
        for _ in range(50):  # the ledger's files may still have room for a few
            await client.runs.submit(suite.spec())
    assert refused.value.reason == "DISK_FULL", refused.value
    assert (await client.runs.get(first.run.run_id)).counts.passed == suite.total
    with pytest.raises(CrossfleetError) as upload:
        await client.artifacts.upload([blob(1 << 20)])
    assert upload.value.reason == "DISK_FULL", upload.value

    ballast.unlink()
    again = await client.runs.submit(suite.spec())
    assert (await watched(client, again))[-1].run_finished.run.verdict == run_pb2.RUN_VERDICT_PASSED


def blob(size: int):
    from crossfleet.client.artifacts import Blob

    return Blob.of_bytes(os.urandom(size))


async def test_a_run_that_meets_a_full_disk_ends_and_says_why_or_goes_on_when_there_is_room(
    fleet: Fleet, client: Client, suite: GatedSuite, small_disk: Path
) -> None:
    submitted = await client.runs.submit(suite.spec())
    await suite.begun()

    ballast = fill(small_disk)
    suite.open()
    # Whatever the ledger could still write, it answers.
    assert (await client.runs.get(submitted.run.run_id)).run_id == submitted.run.run_id
    ballast.unlink()
    events = await watched(client, submitted)

    run = events[-1].run_finished.run
    assert run.verdict == run_pb2.RUN_VERDICT_PASSED or "disk" in run.cause.lower(), run
    assert suite.repeated() == {}


async def test_a_worker_whose_disk_is_full_says_so_and_its_results_are_not_lost(
    folder: Path, small_disk: Path, suite: GatedSuite
) -> None:
    # So many results are still to come when the disk is full that no half-empty page of the journal takes them all.
    suite = GatedSuite(suite.folder, quick=4, gated=60).write()
    async with Fleet(folder) as fleet:
        await fleet.start("w1", 2, "--state", str(small_disk / "w1"))
        async with Client.open(Endpoint(f"unix:{folder}/c")) as client:
            submitted = await client.runs.submit(suite.spec())
            await suite.begun()
            ballast = fill(small_disk)
            for number in range(suite.gated):
                suite.open(number)

            async def told() -> bool:
                worker = (await client.fleet.worker("w1")).worker
                ended = await causes(client, submitted.run.run_id)
                return "disk_full" in worker.taints or result_pb2.CAUSE_DISK_FULL in ended.get("w1", set())

            await eventually(told, deadline=40, what="w1 says that its disk is full")
            ballast.unlink()
            events = await watched(client, submitted)
            await check_all_passed_once(client, events, suite)
