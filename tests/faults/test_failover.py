"""Several coordinators on real etcd and PostgreSQL: one dies, freezes or is told to stop while tests run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from signal import SIGKILL

import grpc
import pytest
import pytest_asyncio

from crossfleet.api.coordinator.v1 import run_service_pb2 as run_service
from crossfleet.api.coordinator.v1.run_service_pb2_grpc import RunServiceStub
from crossfleet.client import Client, Endpoint
from crossfleet.foundation.errors.status import error_from_rpc
from crossfleet.foundation.wait import eventually
from tests.faults.gated import GatedSuite
from tests.faults.leftovers import kill_all, processes_of
from tests.faults.verdicts import HOST_LOST, causes, check_all_passed_once, watched
from tests.integration.test_runs import noop
from tests.real import etcd
from tests.real.coordinators import LEASE_SECONDS, Coordinators
from tests.real.postgres import PostgresServer

pytestmark = pytest.mark.needs_etcd
_LOOK_SECONDS = 0.05


@pytest_asyncio.fixture
async def client(three: Coordinators) -> AsyncIterator[Client]:
    """As a user's program holds it: it knows all coordinators."""
    async with Client.open(Endpoint(three.addresses)) as opened:
        yield opened


async def test_a_run_outlives_the_death_of_the_leader_and_repeats_no_case(
    three: Coordinators, client: Client, suite: GatedSuite
) -> None:
    submitted = await client.runs.submit(suite.spec(), request_id="r1")
    watching = asyncio.ensure_future(watched(client, submitted))
    process = await suite.begun()
    first = await three.leader()

    began = time.monotonic()
    await three.kill(first)
    await three.leader(first)
    took = time.monotonic() - began
    suite.open()
    events = await watching

    await check_all_passed_once(client, events, suite)
    assert suite.ran() == suite.names
    assert process in {one[2] for one in suite.notes()}
    assert took < LEASE_SECONDS + 3


async def test_a_leader_that_is_told_to_stop_hands_a_running_test_over(
    three: Coordinators, client: Client, suite: GatedSuite
) -> None:
    submitted = await client.runs.submit(suite.spec(), request_id="r1")
    watching = asyncio.ensure_future(watched(client, submitted))
    await suite.begun()
    first = await three.leader()

    ending = asyncio.ensure_future(three.end(first))
    second = await three.leader(first)
    suite.open()
    events = await watching

    assert await ending == 0
    assert (await three.asked(second)).epoch == 2
    await check_all_passed_once(client, events, suite)
    assert suite.ran() == suite.names


async def test_a_leader_that_was_frozen_longer_than_its_lease_writes_nothing_when_it_wakes(
    three: Coordinators, client: Client, suite: GatedSuite, postgres: PostgresServer
) -> None:
    submitted = await client.runs.submit(suite.spec(), request_id="r1")
    await suite.begun()
    first = await three.leader()

    async with three.channel(first) as channel:
        three.freeze(first)
        request = run_service.CancelRunRequest(run_id=submitted.run.run_id)
        cancelling = asyncio.ensure_future(RunServiceStub(channel).CancelRun(request, timeout=30))
        second = await three.leader(first)
        led = head(postgres, three)
        three.thaw(first)
        with pytest.raises(grpc.RpcError) as refused:
            await cancelling
    assert error_from_rpc(refused.value).reason in {"NOT_LEADER", "NO_LEADER"}

    async def follows() -> bool:
        return (await three.asked(first)).leader == (await three.asked(second)).coordinator

    await eventually(follows, deadline=40, what=f"{first} follows")
    suite.open()
    events = await watched(client, submitted)
    await check_all_passed_once(client, events, suite)
    assert head(postgres, three) == led
    assert suite.ran() == suite.names


async def test_workers_and_watchers_leave_a_frozen_leader_before_a_running_test_is_given_away(
    three: Coordinators, client: Client, suite: GatedSuite
) -> None:
    submitted = await client.runs.submit(suite.spec(), request_id="r1")
    told: list[str] = []
    watching = asyncio.ensure_future(watched(client, submitted, told.append))
    reading = asyncio.ensure_future(output(client, submitted.run.run_id))
    await suite.begun()
    first = await three.leader()

    began = time.monotonic()
    three.freeze(first)
    second = await three.leader(first)
    follows = f"the coordinator was lost; following {three.address(second)}"
    await eventually(lambda: follows in told, deadline=30, what="the watch follows")
    took = time.monotonic() - began
    await three.settled(1, first)
    suite.open()
    events = await watching

    await check_all_passed_once(client, events, suite)
    assert suite.ran() == suite.names
    assert took < LEASE_SECONDS + 10
    await asyncio.wait_for(reading, 20)


async def test_a_command_to_a_frozen_leader_is_carried_out_once_by_the_next_one_within_seconds(
    three: Coordinators, client: Client
) -> None:
    before = await client.runs.submit(noop(1), request_id="r1")
    first = await three.leader()

    three.freeze(first)
    began = time.monotonic()
    after = await client.runs.submit(noop(1), request_id="r2")
    took = time.monotonic() - began
    three.thaw(first)

    again = await client.runs.submit(noop(1), request_id="r2")
    assert again.run.run_id == after.run.run_id
    assert {run.run_id async for run in client.runs.list()} == {before.run.run_id, after.run.run_id}
    assert took < LEASE_SECONDS + 10


async def output(client: Client, run_id: str) -> str:
    """What the run wrote, to its end."""
    return "".join([chunk.content.decode() async for chunk in client.logs.read(run_id, follow=True)])


def head(postgres: PostgresServer, three: Coordinators) -> tuple[int, str]:
    """Epoch and leader of the head row. Workers and time still move its number of commits."""
    rows = postgres.execute("SELECT epoch, leader FROM ledger_head", three.folder.name)
    return rows[0][0], rows[0][1]


@pytest.mark.slow
async def test_what_nobody_claims_after_a_take_over_is_placed_again_one_lease_later(
    three: Coordinators, client: Client, suite: GatedSuite
) -> None:
    submitted = await client.runs.submit(suite.spec(), request_id="r1")
    watching = asyncio.ensure_future(watched(client, submitted))
    await suite.begun(worker="w1")
    await three.start_worker("w2")
    await three.settled(2)

    await three.kill(await three.leader())
    kill_all(processes_of(three.folder / "w1"))
    await three.workers["w1"].end(SIGKILL)
    suite.open(worker="w2")
    events = await watching

    run = events[-1].run_finished.run
    assert (run.counts.passed, run.counts.total) == (suite.total, suite.total)
    ended = await causes(client, run.run_id)
    assert HOST_LOST in ended["w1"]


async def test_a_run_outlives_a_database_that_takes_no_connections_for_a_while(
    three: Coordinators, client: Client, suite: GatedSuite, postgres: PostgresServer
) -> None:
    submitted = await client.runs.submit(suite.spec(), request_id="r1")
    watching = asyncio.ensure_future(watched(client, submitted))
    await suite.begun()
    first = await three.leader()

    name = three.folder.name
    postgres.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    postgres.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    suite.open()
    await eventually(
        lambda: "the database is away" in (three.folder / f"{first}.log").read_text(), deadline=40, what="it is away"
    )
    postgres.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    events = await watching

    await check_all_passed_once(client, events, suite)
    assert suite.ran() == suite.names
    assert await three.leader() == first


async def test_while_etcd_is_gone_nobody_decides_reads_are_answered_and_tests_run_on(
    three: Coordinators, client: Client, suite: GatedSuite, elector: etcd.Cluster
) -> None:
    submitted = await client.runs.submit(suite.spec(), request_id="r1")
    watching = asyncio.ensure_future(watched(client, submitted))
    await suite.begun()
    first = await three.leader()

    elector.nodes[0].kill()

    async def nobody_leads() -> bool:
        return not any(await asyncio.gather(*map(three.leads, three.services)))

    await eventually(nobody_leads, deadline=40, what="the leader gives its term up")
    assert [run.run_id async for run in client.runs.list()] == [submitted.run.run_id]
    assert (await three.asked(first)).open_runs == 1
    elector.nodes[0].start()
    suite.open()
    events = await watching

    await check_all_passed_once(client, events, suite)
    assert suite.ran() == suite.names


@pytest.mark.parametrize("elector", [3], indirect=True)
async def test_one_member_of_etcd_is_not_missed_and_results_kept_while_two_are_gone_arrive_with_a_majority(
    three: Coordinators, client: Client, suite: GatedSuite, elector: etcd.Cluster
) -> None:
    submitted = await client.runs.submit(suite.spec(), request_id="r1")
    watching = asyncio.ensure_future(watched(client, submitted))
    await suite.begun()
    first, (one, two, _) = await three.leader(), elector.nodes

    one.kill()
    killed = time.monotonic()
    while time.monotonic() < killed + LEASE_SECONDS:
        found = await three.asked(first)
        assert (found.leads, found.epoch) == (True, 1)
        await asyncio.sleep(_LOOK_SECONDS)  # what is shown is that it lasts
    await client.runs.cancel((await client.runs.submit(noop(3), request_id="r2")).run.run_id)
    two.kill()

    async def nobody_leads() -> bool:
        return not any(await asyncio.gather(*map(three.leads, three.services)))

    await eventually(nobody_leads, deadline=40, what="the leader gives its term up")
    suite.open()
    await eventually(suite.passed, deadline=40, what="the test ends while nobody decides")
    two.start()
    events = await watching

    await check_all_passed_once(client, events, suite)
    assert suite.ran() == suite.names
