from __future__ import annotations

import os
import signal

import pytest

from crossfleet.api.types.v1 import result_pb2
from crossfleet.client import Client
from crossfleet.foundation.wait import eventually
from tests.faults.conftest import lease_runs_out
from tests.faults.gated import GatedSuite
from tests.faults.leftovers import all_gone, kill_all, processes_of, runners_of, shims_of
from tests.faults.verdicts import HOST_LOST, causes, check_all_passed_once, gated, watched
from tests.integration.processes import Fleet

DONE = result_pb2.CAUSE_DONE


async def no_runner(fleet: Fleet) -> None:
    await eventually(lambda: not runners_of(fleet.folder), deadline=30, what="no runner is left")


async def test_a_running_test_goes_on_while_its_agent_is_killed_and_started_again(
    fleet: Fleet, client: Client, suite: GatedSuite
) -> None:
    submitted = await fleet.submit(suite.spec(), "r1")
    process = await suite.begun()

    await fleet.services["w1"].end(signal.SIGKILL)
    assert os.path.exists(f"/proc/{process}"), "the test ended with the agent"
    await fleet.start_worker()
    suite.open()
    events = await watched(client, submitted)

    await check_all_passed_once(client, events, suite)
    assert suite.ran() == suite.names
    assert await causes(client, submitted.run.run_id) == {"w1": {DONE}}
    await no_runner(fleet)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP], ids=["killed", "started anew"])
async def test_several_running_tests_go_on_while_their_agent_changes_again_and_again(
    fleet: Fleet, client: Client, suite: GatedSuite, number: signal.Signals
) -> None:
    # A run each: of two cases of one run the second may be queued behind the first.
    suites = [suite, GatedSuite(suite.folder.with_name("other")).write()]
    submitted = []
    for one in suites:
        spec = one.spec()
        spec.targets.add(name="any").request.slots_max = 1
        submitted.append(await fleet.submit(spec, one.folder.name))
    processes = {await one.begun() for one in suites}

    for _ in range(2):
        service = fleet.services["w1"]
        if number is signal.SIGKILL:
            await service.end(signal.SIGKILL)
            await fleet.start_worker()
        else:
            service.process.send_signal(number)
            assert service.process.stdout is not None
            assert b"ready" in await service.process.stdout.readline()
        assert processes <= set(runners_of(fleet.folder))
    for one, run in zip(suites, submitted, strict=True):
        one.open()
        await check_all_passed_once(client, await watched(client, run), one)
        assert one.ran() == one.names
        assert await causes(client, run.run.run_id) == {"w1": {DONE}}
    await no_runner(fleet)


async def test_a_test_that_ends_while_no_agent_is_there_counts(fleet: Fleet, client: Client, suite: GatedSuite) -> None:
    submitted = await fleet.submit(suite.spec(), "r1")
    process = await suite.begun()

    await fleet.services["w1"].end(signal.SIGKILL)
    suite.open()
    # All quick cases of the task have run: its slot waits for what follows, of which nobody tells it.
    await eventually(lambda: suite.ran() == suite.names or not os.path.exists(f"/proc/{process}"), deadline=40)
    await fleet.start_worker()
    events = await watched(client, submitted)

    await check_all_passed_once(client, events, suite)
    assert suite.repeated() == {}
    await no_runner(fleet)


async def test_nothing_is_left_of_a_worker_whose_agent_was_killed_and_came_back(
    fleet: Fleet, client: Client, suite: GatedSuite
) -> None:
    submitted = await fleet.submit(suite.spec(), "r1")
    await suite.begun()
    await fleet.services["w1"].end(signal.SIGKILL)
    await fleet.start_worker()
    suite.open()
    await watched(client, submitted)

    assert len(shims_of(fleet.folder)) == 1, "the second agent did not take over the first one's shim"
    await fleet.services["w1"].end()

    assert await all_gone(fleet.folder / "w1")


@lease_runs_out
async def test_the_cases_of_a_worker_that_died_whole_run_elsewhere(
    fleet: Fleet, client: Client, suite: GatedSuite
) -> None:
    submitted = await fleet.submit(suite.spec(), "r1")
    await suite.begun(worker="w1")
    await fleet.start_worker("w2")
    await fleet.settled(2)

    kill_all(processes_of(fleet.folder / "w1"))
    await suite.begun(worker="w2")
    suite.open()
    events = await watched(client, submitted)

    records = await check_all_passed_once(client, events, suite)
    assert gated(records).worker_id == "w2"
    assert HOST_LOST in (await causes(client, submitted.run.run_id))["w1"]
    assert suite.repeated().pop("gated-0") == 2


async def test_a_shim_that_dies_takes_its_tests_along_and_they_run_again(
    fleet: Fleet, client: Client, suite: GatedSuite
) -> None:
    submitted = await fleet.submit(suite.spec(), "r1")
    first = await suite.begun()

    kill_all(shims_of(fleet.folder))
    await eventually(lambda: {note[2] for note in suite.notes() if note[0] == "gated-0"} - {first}, deadline=30)
    assert first not in processes_of(fleet.folder), "a test outlived its shim and runs beside its repetition"
    suite.open()
    events = await watched(client, submitted)

    await check_all_passed_once(client, events, suite)


@lease_runs_out
@pytest.mark.parametrize("released", ["before the lease's loser wakes", "after it woke"])
async def test_a_worker_frozen_beyond_its_lease_cannot_count_its_late_results(
    fleet: Fleet, client: Client, suite: GatedSuite, released: str
) -> None:
    submitted = await fleet.submit(suite.spec(), "r1")
    await suite.begun(worker="w1")
    await fleet.start_worker("w2")
    await fleet.settled(2)
    agent = fleet.services["w1"].process

    agent.send_signal(signal.SIGSTOP)
    await suite.begun(worker="w2")
    if released.startswith("before"):
        suite.open(worker="w1")  # the shim journals the result, which goes out when the agent wakes
    agent.send_signal(signal.SIGCONT)
    await fleet.settled(2)
    suite.open(worker="w1")
    await eventually(lambda: not runners_of(fleet.folder / "w1"), deadline=30, what="w1 has given up its attempt")
    assert (await client.runs.get(submitted.run.run_id)).counts.pending == 1, "a result under an old token counted"
    suite.open(worker="w2")
    events = await watched(client, submitted)

    records = await check_all_passed_once(client, events, suite)
    assert gated(records).worker_id == "w2"
    assert HOST_LOST in (await causes(client, submitted.run.run_id))["w1"]


async def test_a_running_test_of_a_worker_that_is_drained_ends_normally(
    fleet: Fleet, client: Client, suite: GatedSuite
) -> None:
    submitted = await fleet.submit(suite.spec(), "r1")
    await suite.begun(worker="w1")
    await fleet.start_worker("w2")
    await fleet.settled(2)

    await client.fleet.drain("w1", "new memory")
    await client.fleet.quarantine("w1", "it smokes as well")
    suite.open()
    events = await watched(client, submitted)

    records = await check_all_passed_once(client, events, suite)
    assert gated(records).worker_id == "w1"
    assert suite.repeated() == {}
