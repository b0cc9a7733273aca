from __future__ import annotations

import asyncio
import signal

from crossfleet.client import Client
from tests.faults.gated import GatedSuite
from tests.faults.verdicts import check_all_passed_once, watched
from tests.integration.processes import Fleet


async def test_a_run_goes_on_without_its_scheduler(fleet: Fleet, client: Client, suite: GatedSuite) -> None:
    submitted = await fleet.submit(suite.spec(), "r1")
    await suite.begun()

    await fleet.services["scheduler"].end(signal.SIGKILL)
    suite.open()
    events = await watched(client, submitted)

    await check_all_passed_once(client, events, suite)
    assert suite.ran() == suite.names


async def test_a_run_submitted_without_a_scheduler_says_so_and_starts_when_one_is_back(
    fleet: Fleet, client: Client, suite: GatedSuite
) -> None:
    suite.open()
    await fleet.services["scheduler"].end(signal.SIGKILL)
    submitted = await fleet.submit(suite.spec(), "r1")
    watching = asyncio.ensure_future(watched(client, submitted))
    async for event in client.events.watch(after=submitted.event_cursor, run_id=submitted.run.run_id):
        if event.HasField("target_waiting") and "scheduler" in event.target_waiting.reason:
            break
    assert suite.ran() == []

    await fleet.start_scheduler()
    events = await watching

    await check_all_passed_once(client, events, suite)


async def test_a_scheduler_that_freezes_and_wakes_plans_on(fleet: Fleet, client: Client, suite: GatedSuite) -> None:
    suite.open()
    scheduler = fleet.services["scheduler"].process
    scheduler.send_signal(signal.SIGSTOP)
    submitted = await fleet.submit(suite.spec(), "r1")
    watching = asyncio.ensure_future(watched(client, submitted))
    await fleet.settled(1)

    scheduler.send_signal(signal.SIGCONT)
    events = await watching

    await check_all_passed_once(client, events, suite)
    assert suite.ran() == suite.names
