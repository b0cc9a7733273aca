"""A leader of three coordinators that is cut off from one thing, while all else goes on; etcd and PostgreSQL that stand still."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from crossfleet.api.coordinator.v1 import run_service_pb2 as run_service
from crossfleet.api.coordinator.v1.run_service_pb2_grpc import RunServiceStub
from crossfleet.client import Client, Endpoint
from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.errors.status import error_from_rpc
from crossfleet.foundation.wait import eventually
from tests.faults.gated import GatedSuite
from tests.faults.proxy import Relay
from tests.faults.verdicts import check_all_passed_once, watched
from tests.real import etcd
from tests.real.coordinators import Coordinators
from tests.real.postgres import PostgresServer

pytestmark = pytest.mark.needs_etcd

WAIT_SECONDS = 1
"""How long a command waits for the database; after twice that time a leader gives its term up."""


@dataclass
class Parted(Coordinators):
    """Coordinators of which the first, `a`, reaches etcd and PostgreSQL, and is reached, through relays. It leads first."""

    to_etcd: Relay = field(init=False)
    to_database: Relay = field(init=False)
    to_leader: Relay = field(init=False)

    @property
    def addresses(self) -> str:
        """As Coordinators: the first one is the relay."""
        return ",".join([f"unix:{self.to_leader.inside}", self.address("b"), self.address("c")])

    async def begin(self, stack: AsyncExitStack, postgres: PostgresServer) -> None:
        """Start all; one worker is there."""
        near = self.folder / "pg"
        near.mkdir()
        self.to_etcd = await stack.enter_async_context(Relay("127.0.0.1:0", self.endpoints))
        self.to_database = await stack.enter_async_context(Relay(near / postgres.socket.name, postgres.socket))
        self.to_leader = await stack.enter_async_context(Relay(self.folder / "r", self.folder / "a.s"))
        database = self.database.replace(f"host={postgres.folder}", f"host={near}")
        first = self.start(
            "a",
            *("--etcd-endpoints", str(self.to_etcd.inside), "--database", database),
            *("--advertise", f"unix:{self.to_leader.inside}"),
        )
        await asyncio.gather(self.start_scheduler(), first)
        assert await self.leader() == "a"
        await asyncio.gather(self.start("b"), self.start("c"))
        await self.start_worker()
        await self.settled(1)

    async def followed(self) -> str:
        """Who leads after `a`; at no moment do two say that they lead."""

        async def next_one() -> str:
            for name in ("b", "c"):
                if await self.leads(name):
                    others = [one for one in ("b", "c", "a") if one != name and await self.leads(one)]
                    if others:  # asked after it
                        pytest.fail(f"{name} leads, and {others[0]} says that it does")
                    return name
            return ""

        return await eventually(next_one, deadline=40, what="another one than a leads")


@pytest_asyncio.fixture
async def parted(folder: Path, elector: etcd.Cluster, postgres: PostgresServer) -> AsyncIterator[Parted]:
    flags = ("--lease-seconds", "4", "--database-wait-seconds", str(WAIT_SECONDS))
    running = Parted(folder, elector.endpoints, postgres.create(folder.name), flags=flags)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(running.stop)
        await running.begin(stack, postgres)
        yield running


@pytest_asyncio.fixture
async def client(parted: Parted) -> AsyncIterator[Client]:
    """As a user's program holds it: it knows all coordinators."""
    async with Client.open(Endpoint(parted.addresses)) as opened:
        yield opened


async def test_a_leader_that_is_cut_off_from_etcd_stops_to_decide_before_another_one_begins(
    parted: Parted, client: Client, suite: GatedSuite
) -> None:
    submitted = await client.runs.submit(suite.spec(), request_id="r1")
    watching = asyncio.ensure_future(watched(client, submitted))
    await suite.begun()

    parted.to_etcd.hold()
    second = await parted.followed()
    parted.to_etcd.heal()
    suite.open()
    events = await watching

    await check_all_passed_once(client, events, suite)
    assert suite.ran() == suite.names
    assert (await parted.asked(second)).epoch == 2
    assert not await parted.leads("a")


async def test_a_leader_that_is_cut_off_from_the_database_lets_another_one_lead_and_loses_nothing_it_acknowledged(
    parted: Parted, client: Client, suite: GatedSuite
) -> None:
    submitted = await client.runs.submit(suite.spec(), request_id="r1")
    watching = asyncio.ensure_future(watched(client, submitted))
    await suite.begun()

    parted.to_database.hold()
    suite.open()
    again = asyncio.ensure_future(client.runs.submit(suite.spec(), request_id="r2"))
    second = await parted.followed()
    events = await watching
    parted.to_database.heal()

    await check_all_passed_once(client, events, suite)
    assert (await parted.asked(second)).epoch >= 2
    accepted = {submitted.run.run_id, (await again).run.run_id}
    assert {run.run_id async for run in client.runs.list()} == accepted


async def test_a_worker_that_is_cut_off_from_the_leader_comes_back_to_it_and_repeats_nothing(
    parted: Parted, client: Client, suite: GatedSuite
) -> None:
    submitted = await client.runs.submit(suite.spec(), request_id="r1")
    watching = asyncio.ensure_future(watched(client, submitted))
    process = await suite.begun()

    parted.to_leader.cut()
    await eventually(lambda: "sent to the leader" in log(parted, "w1"), deadline=40, what="it asks a follower")
    parted.to_leader.heal()
    healed = time.monotonic()
    await eventually(lambda: log(parted, "w1").count("joined the fleet") == 2, deadline=40, what="it is back")
    took = time.monotonic() - healed
    suite.open()
    events = await watching

    await check_all_passed_once(client, events, suite)
    assert suite.ran() == suite.names
    assert process in {one[2] for one in suite.notes()}
    assert (await parted.asked("a")).epoch == 1
    assert took < 4  # its lease


async def test_while_postgresql_stands_still_commands_are_refused_in_time_and_go_on_when_it_is_back(
    parted: Parted, client: Client, suite: GatedSuite, postgres: PostgresServer, thawed: None
) -> None:
    submitted = await client.runs.submit(suite.spec(), request_id="r1")
    watching = asyncio.ensure_future(watched(client, submitted))
    await suite.begun()

    postgres.freeze()
    began = time.monotonic()
    # The first may be written yet, since its commit is under way; those after it are not.
    first, second = await refusal(parted, "r2"), await refusal(parted, "r3")
    took = time.monotonic() - began
    postgres.thaw()
    suite.open()
    events = await watching

    assert first.reason in {"DATABASE_AWAY", "COMMIT_UNSETTLED"}
    assert (second.reason, second.code) == ("DATABASE_AWAY", grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert WAIT_SECONDS / 2 < took < WAIT_SECONDS + 5
    await check_all_passed_once(client, events, suite)
    assert suite.ran() == suite.names


async def test_commands_wait_while_postgresql_is_started_again(
    parted: Parted, client: Client, suite: GatedSuite, postgres: PostgresServer
) -> None:
    submitted = await client.runs.submit(suite.spec(), request_id="r1")
    watching = asyncio.ensure_future(watched(client, submitted))
    await suite.begun()

    suite.open()
    postgres.kill()
    waiting = asyncio.ensure_future(client.runs.submit(suite.spec(), request_id="r2"))
    postgres.start()
    second = await waiting
    events = await watching

    await check_all_passed_once(client, events, suite)
    assert {run.run_id async for run in client.runs.list()} == {submitted.run.run_id, second.run.run_id}


async def refusal(parted: Parted, request_id: str) -> CrossfleetError:
    """What a submission to the leader is refused with."""
    other = GatedSuite(parted.folder / "other", quick=1, gated=0).write()
    request = run_service.SubmitRunRequest(request_id=request_id, spec=other.spec())
    async with parted.channel("a") as channel:
        with pytest.raises(grpc.RpcError) as refused:
            await RunServiceStub(channel).SubmitRun(request, timeout=20)
    return error_from_rpc(refused.value)


@pytest.fixture
def thawed(postgres: PostgresServer) -> Iterator[None]:
    """Whatever the test does, PostgreSQL goes on after it."""
    yield
    postgres.thaw()


def log(parted: Parted, name: str) -> str:
    """What a process has logged."""
    return (parted.folder / f"{name}.log").read_text()
