from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from crossfleet.client import Client, Endpoint
from crossfleet.foundation.wait import eventually
from tests.faults.conftest import lease_runs_out
from tests.faults.gated import GatedSuite
from tests.faults.leftovers import runners_of
from tests.faults.proxy import Relay
from tests.faults.verdicts import HOST_LOST, causes, check_all_passed_once, gated, watched
from tests.integration.processes import Fleet


@pytest_asyncio.fixture
async def relay(folder: Path) -> AsyncIterator[Relay]:
    async with Relay(folder / "r", folder / "c") as opened:
        yield opened


@pytest_asyncio.fixture
async def fleet(folder: Path, relay: Relay, request: pytest.FixtureRequest) -> AsyncIterator[Fleet]:
    """Its worker w1 reaches the coordinator through the relay only."""
    async with Fleet(folder, flags=getattr(request, "param", ())) as running:
        await running.start("w1", 2, "--coordinator", f"unix:{folder}/r")
        yield running
        relay.heal()


async def lost(client: Client, run_id: str) -> None:
    async def found() -> bool:
        return HOST_LOST in (await causes(client, run_id)).get("w1", set())

    await eventually(found, deadline=40, what="w1's attempts are lost")


async def cut_and_heal(relay: Relay, suite: GatedSuite, number: int) -> None:
    """Cut the worker off while a case ends."""
    before = relay.connections
    relay.cut()
    suite.open(number)
    relay.heal()
    await eventually(lambda: relay.connections > before, deadline=40, what="the worker dials again")


async def test_a_short_cut_costs_nothing(fleet: Fleet, client: Client, suite: GatedSuite, relay: Relay) -> None:
    submitted = await fleet.submit(suite.spec(), "r1")
    await suite.begun()
    before = relay.connections

    relay.cut()
    relay.heal()
    await eventually(lambda: relay.connections > before, deadline=40, what="the worker dials again")
    suite.open()
    events = await watched(client, submitted)

    await check_all_passed_once(client, events, suite)
    assert suite.ran() == suite.names


async def test_a_connection_cut_again_and_again_loses_and_repeats_nothing(
    fleet: Fleet, client: Client, suite: GatedSuite, relay: Relay
) -> None:
    suite = GatedSuite(suite.folder, quick=300, gated=3).write()
    submitted = await fleet.submit(suite.spec(), "r1")
    watching = asyncio.ensure_future(watched(client, submitted))
    for number in range(3):
        await suite.begun(number)
        await cut_and_heal(relay, suite, number)
    events = await watching

    await check_all_passed_once(client, events, suite)
    assert suite.ran() == suite.names


@lease_runs_out
async def test_a_cut_beyond_the_lease_gives_the_work_away_and_refuses_what_comes_late(
    fleet: Fleet, client: Client, suite: GatedSuite, relay: Relay
) -> None:
    submitted = await fleet.submit(suite.spec(), "r1")
    await suite.begun(worker="w1")
    await fleet.start_worker("w2")
    await fleet.settled(2)

    relay.cut()
    await suite.begun(worker="w2")
    suite.open(worker="w1")
    relay.heal()
    await fleet.settled(2)
    await eventually(lambda: not runners_of(fleet.folder / "w1"), deadline=40, what="w1 has given up its attempt")
    assert (await client.runs.get(submitted.run.run_id)).counts.pending == 1, "a result under an old token counted"
    suite.open(worker="w2")
    events = await watched(client, submitted)

    records = await check_all_passed_once(client, events, suite)
    assert gated(records).worker_id == "w2"


@lease_runs_out
async def test_a_silent_connection_is_noticed_by_the_lease_and_heals(
    fleet: Fleet, client: Client, suite: GatedSuite, relay: Relay
) -> None:
    submitted = await fleet.submit(suite.spec(), "r1")
    watching = asyncio.ensure_future(watched(client, submitted))
    await suite.begun()

    relay.hold()
    await lost(client, submitted.run.run_id)
    relay.heal()
    suite.open()
    events = await watching

    await check_all_passed_once(client, events, suite)


async def test_a_watcher_that_is_cut_off_goes_on_where_it_was(
    fleet: Fleet, client: Client, suite: GatedSuite, folder: Path, relay: Relay
) -> None:
    async with Relay(folder / "u", folder / "c") as mine, Client.open(Endpoint(f"unix:{folder}/u")) as watcher:
        submitted = await fleet.submit(suite.spec(), "r1")
        watching = asyncio.ensure_future(watched(watcher, submitted))
        await suite.begun()
        await eventually(lambda: mine.connections, what="the watcher is connected")

        mine.cut()
        suite.open()
        await watched(client, submitted)
        mine.heal()
        events = await watching

        await check_all_passed_once(client, events, suite)
        cursors = [event.cursor for event in events]
        assert len(cursors) == len(set(cursors))
