from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from crossfleet.client import Client, Endpoint
from crossfleet.foundation.wait import eventually
from tests.faults.gated import GatedSuite
from tests.faults.verdicts import check_all_passed_once, watched
from tests.integration.processes import Fleet


async def committed(client: Client, run_id: str, least: int) -> None:
    """Wait until so many cases have a verdict."""

    async def counted() -> bool:
        counts = (await client.runs.get(run_id)).counts
        return counts.total - counts.pending >= least > 0

    await eventually(counted, deadline=30, what=f"{least} cases are committed")


async def kill_and_restart(fleet: Fleet) -> None:
    await fleet.services["coordinator"].end(signal.SIGKILL)
    await fleet.start_coordinator()


async def test_a_run_outlives_its_coordinator_and_repeats_no_case(
    fleet: Fleet, client: Client, suite: GatedSuite
) -> None:
    submitted = await fleet.submit(suite.spec(), "r1")
    watching = asyncio.ensure_future(watched(client, submitted))
    await suite.begun()
    await committed(client, submitted.run.run_id, 10)

    await kill_and_restart(fleet)
    suite.open()
    events = await watching

    await check_all_passed_once(client, events, suite)
    assert suite.ran() == suite.names


async def test_results_that_came_while_the_coordinator_was_away_are_counted_once(
    fleet: Fleet, client: Client, suite: GatedSuite
) -> None:
    submitted = await fleet.submit(suite.spec(), "r1")
    watching = asyncio.ensure_future(watched(client, submitted))
    await suite.begun()

    await fleet.services["coordinator"].end(signal.SIGKILL)
    suite.open()
    await eventually(lambda: "gated-0" in suite.ran(), deadline=40, what="the gated case went on")
    await fleet.start_coordinator()
    events = await watching

    await check_all_passed_once(client, events, suite)
    assert suite.ran() == suite.names


async def test_a_run_goes_on_at_whichever_of_the_given_addresses_its_coordinator_comes_back(
    folder: Path, suite: GatedSuite
) -> None:
    addresses = f"unix:{folder}/c,unix:{folder}/d,unix:{folder}/e"
    told: list[str] = []
    async with Fleet(folder, socket="d") as fleet, Client.open(Endpoint(addresses)) as client:
        worker = fleet.start_worker("w1", 2, "--coordinator", addresses)
        await asyncio.gather(fleet.start_scheduler(), fleet.start_coordinator(), worker)
        submitted = await client.runs.submit(suite.spec())
        watching = asyncio.ensure_future(watched(client, submitted, told.append))
        await suite.begun()

        for socket in ("e", "c"):
            await committed(client, submitted.run.run_id, 10)
            fleet.socket = socket
            await kill_and_restart(fleet)
            await eventually(lambda: told and told[-1].endswith(f"following unix:{folder}/{socket}"), deadline=30)  # noqa: B023
        suite.open()
        events = await watching

        await check_all_passed_once(client, events, suite)
    assert suite.ran() == suite.names


async def test_a_run_outlives_two_deaths_of_its_coordinator(fleet: Fleet, client: Client, suite: GatedSuite) -> None:
    suite = GatedSuite(suite.folder, quick=30, gated=2).write()
    submitted = await fleet.submit(suite.spec(), "r1")
    watching = asyncio.ensure_future(watched(client, submitted))
    await suite.begun(0)

    await kill_and_restart(fleet)
    await kill_and_restart(fleet)
    suite.open(0)
    await suite.begun(1)
    await kill_and_restart(fleet)
    suite.open(1)
    events = await watching

    await check_all_passed_once(client, events, suite)
    assert suite.ran() == suite.names


@pytest.mark.parametrize("settled", [False, True], ids=["before any assignment", "while it may be assigned"])
async def test_a_run_that_was_just_submitted_is_not_forgotten(
    fleet: Fleet, client: Client, suite: GatedSuite, settled: bool
) -> None:
    suite.open()
    if not settled:
        await fleet.services["scheduler"].end(signal.SIGKILL)  # nothing can be assigned without it
    submitted = await fleet.submit(suite.spec(), "r1")
    watching = asyncio.ensure_future(watched(client, submitted))

    await fleet.services["coordinator"].end(signal.SIGKILL)
    if not settled:
        await fleet.start_scheduler()
    await fleet.start_coordinator()
    events = await watching

    await check_all_passed_once(client, events, suite)
    assert suite.ran() == suite.names


async def test_a_submission_asked_for_again_after_a_death_is_the_same_run(
    fleet: Fleet, client: Client, suite: GatedSuite
) -> None:
    first = await client.runs.submit(suite.spec(), request_id="once")

    await kill_and_restart(fleet)
    again = await client.runs.submit(suite.spec(), request_id="once")
    suite.open()
    events = await watched(client, first)

    assert again.run.run_id == first.run.run_id
    await check_all_passed_once(client, events, suite)
    assert len([run async for run in client.runs.list()]) == 1


async def test_a_cancelled_run_stays_cancelled_over_a_death(fleet: Fleet, client: Client, suite: GatedSuite) -> None:
    submitted = await fleet.submit(suite.spec(), "r1")
    await suite.begun()
    await client.runs.cancel(submitted.run.run_id, "no longer needed")

    await kill_and_restart(fleet)
    events = await watched(client, submitted)

    run = events[-1].run_finished.run
    assert run.counts.pending == 0
    assert run.counts.cancelled + run.counts.not_run + run.counts.passed == suite.total
    assert suite.repeated() == {}
