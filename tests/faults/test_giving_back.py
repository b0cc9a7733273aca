"""Slots that are given back singly while a case hangs, with whoever has a part in it killed meanwhile."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from crossfleet.api.coordinator.v1 import fleet_service_pb2 as fleet_pb2
from crossfleet.client import Client
from crossfleet.foundation.wait import eventually
from tests.faults.conftest import lease_runs_out
from tests.faults.gated import GatedSuite
from tests.faults.test_coordinator import committed, kill_and_restart
from tests.faults.verdicts import check_all_passed_once, gated, watched
from tests.integration.processes import Fleet, start_service


async def hanging(fleet: Fleet, client: Client, suite: GatedSuite) -> asyncio.Task[list]:
    """A run of which nothing is left but a case that waits; answers who watches it."""
    submitted = await fleet.submit(suite.spec(), "hanging")
    watching = asyncio.ensure_future(watched(client, submitted))
    await suite.begun()
    await committed(client, submitted.run.run_id, suite.quick)
    return watching


def another(folder: Path) -> GatedSuite:
    """A suite whose cases wait for nothing."""
    suite = GatedSuite(folder / "other", quick=5).write()
    suite.open()
    return suite


async def test_a_case_that_hangs_keeps_no_slot_but_its_own(
    fleet: Fleet, client: Client, suite: GatedSuite, folder: Path
) -> None:
    watching, other = await hanging(fleet, client, suite), another(folder)

    submitted = await fleet.submit(other.spec(), "other")
    await check_all_passed_once(client, await watched(client, submitted), other)

    assert not suite.passed()
    suite.open()
    events = await watching
    await check_all_passed_once(client, events, suite)
    given_back = [event.slots_given_back for event in events if event.HasField("slots_given_back")]
    assert [len(one.slots) for one in given_back] == [1]


@lease_runs_out
async def test_slots_are_given_back_once_whoever_leads_meanwhile(
    fleet: Fleet, client: Client, suite: GatedSuite, folder: Path
) -> None:
    watching, other = await hanging(fleet, client, suite), another(folder)
    agent = fleet.services["w1"].process

    # The order is committed, and the worker does not hear of it before the next leader.
    agent.send_signal(signal.SIGSTOP)
    submitted = await fleet.submit(other.spec(), "other")
    await eventually(lambda: _suspected(fleet), deadline=40, what="the worker is silent for half its lease")
    await kill_and_restart(fleet)
    agent.send_signal(signal.SIGCONT)

    await check_all_passed_once(client, await watched(client, submitted), other)
    suite.open()
    await check_all_passed_once(client, await watching, suite)


async def _suspected(fleet: Fleet) -> bool:
    """By then its slots have been idle for long enough, and it is not given up yet."""
    found = await fleet.fleet.GetFleet(fleet_pb2.GetFleetRequest())
    return found.workers_by_state.get("WORKER_STATE_SUSPECT", 0) > 0


async def test_an_agent_that_is_killed_while_its_slots_go_loses_nothing(
    fleet: Fleet, client: Client, suite: GatedSuite, folder: Path
) -> None:
    watching, other = await hanging(fleet, client, suite), another(folder)
    submitted = await fleet.submit(other.spec(), "other")

    for _ in range(2):
        await fleet.services["w1"].end(signal.SIGKILL)
        await fleet.start_worker()

    await check_all_passed_once(client, await watched(client, submitted), other)
    suite.open()
    await check_all_passed_once(client, await watching, suite)
    assert suite.repeated() == {}


async def test_a_case_that_lasts_on_one_host_passes_on_another_and_counts_once(
    fleet: Fleet, client: Client, folder: Path
) -> None:
    suite = GatedSuite(folder / "suite", quick=20).write()
    suite.open()
    first = await fleet.submit(suite.spec(), "before")
    await check_all_passed_once(client, await watched(client, first), suite)
    (suite.folder / "gate-0").unlink()
    flags = ("--coordinator", f"unix:{folder}/c", "--name", "w2", "--slots", "1", "--embedded")
    places = ("--state", str(folder / "w2"), "--cache", str(folder / "cache"))
    fleet.services["w2"] = await start_service(
        "tests.faults.other_host", *flags, *places, log=fleet.log("w2"), name_of="w2"
    )
    await fleet.settled(2)

    spec = suite.spec()
    spec.policy.speculate_percent = 5
    submitted = await fleet.submit(spec, "again")
    watching = asyncio.ensure_future(watched(client, submitted))
    where = await eventually(
        lambda: [worker for name, worker, _ in suite.notes()[21:] if name == "gated-0"], deadline=40, what="it hangs"
    )
    hangs = where[0]
    passes = "w1" if hangs == "w2" else "w2"
    suite.open(worker=passes)
    events = await watching

    record = gated(await check_all_passed_once(client, events, suite))
    assert record.worker_id == passes
    copied = [event.case_copied for event in events if event.HasField("case_copied")]
    assert [(one.case_id, one.attempt.worker_id) for one in copied] == [(record.case_id, passes)]
    assert "executed a second time" in record.message
