"""The election while coordinators, connections and members of etcd die, stand still and come back."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from crossfleet.coordinator.election.etcd import EtcdElection
from crossfleet.coordinator.election.port import Leader
from crossfleet.foundation.wait import eventually
from services.coordinator.tests.election.conftest import Standing
from tests.faults.proxy import Relay
from tests.real.etcd import Cluster

pytestmark = pytest.mark.needs_etcd

ANN, BOB = Leader("ann", "ann:1"), Leader("bob", "bob:1")
LATE = 15.0
"""Seconds over the lease that anything may take here, where others keep the cores busy: what is quick is measured elsewhere."""
_LOOK_SECONDS = 0.01


async def test_a_dead_leader_is_followed_when_its_lease_is_over_and_not_before(
    one: Cluster, standing: Standing
) -> None:
    election = await standing(one.endpoints, lease=1)
    async with holder(one.endpoints, election, 1.0) as other:
        await other.until("leads")
        waiting = asyncio.create_task(election.campaign(ANN))
        await asyncio.sleep(0)
        await other.until("leads")
        other.process.kill()
        died = time.monotonic()
        await other.until("end")
        await asyncio.wait_for(waiting, 1 + LATE)
        won = time.monotonic()
    assert other.claimed_until <= won
    assert won - died < 1 + LATE


async def test_a_leader_that_slept_through_its_lease_knows_it_when_it_wakes(one: Cluster, standing: Standing) -> None:
    election = await standing(one.endpoints, lease=1)
    async with holder(one.endpoints, election, 1.0) as other:
        await other.until("leads")
        other.process.send_signal(signal.SIGSTOP)
        term = await asyncio.wait_for(election.campaign(ANN), 1 + LATE)
        won = time.monotonic()
        other.process.send_signal(signal.SIGCONT)
        await other.until("lost")
        assert other.claimed_until <= won
        assert not any(line["may"] for line in other.lines if line["event"] == "leads" and line["since"] >= won)
        assert term.remaining() > 0
        await term.resign()
        await other.until("won")  # it has queued up again


@pytest.mark.parametrize("way", ["cut", "hold"])
async def test_a_leader_that_is_cut_off_from_etcd_stops_before_another_begins(
    way: str, one: Cluster, standing: Standing, tmp_path: Path
) -> None:
    async with Relay(tmp_path / "etcd.sock", one.endpoints) as relay:
        cut_off, free = await standing(f"unix:{tmp_path}/etcd.sock", lease=1), await standing(one.endpoints, lease=1)
        term = await cut_off.campaign(ANN)
        waiting = asyncio.create_task(free.campaign(BOB))
        getattr(relay, way)()
        claimed_until = time.monotonic() + term.remaining()
        assert "could not be renewed" in await asyncio.wait_for(term.wait_lost(), 1 + LATE)
        assert term.remaining() == 0
        assert cut_off.leader() is None
        await asyncio.wait_for(waiting, 1 + LATE)
        assert claimed_until <= time.monotonic()
        again = asyncio.create_task(cut_off.campaign(ANN))
        relay.heal()
        await eventually(lambda: cut_off.leader() == BOB)
        await (await waiting).resign()
        assert (await asyncio.wait_for(again, 1 + LATE)).remaining() > 0


async def test_a_short_interruption_costs_no_term(one: Cluster, standing: Standing, tmp_path: Path) -> None:
    async with Relay(tmp_path / "etcd.sock", one.endpoints) as relay:
        election = await standing(f"unix:{tmp_path}/etcd.sock", lease=3)
        term = await election.campaign(ANN)
        relay.cut()
        await eventually(lambda: term.remaining() < 1.2, deadline=5)  # a renewal has failed by now
        relay.heal()
        assert await eventually(lambda: term.remaining() > 2.0, deadline=5)
        await term.resign()


async def test_a_leader_goes_on_when_the_member_it_speaks_to_stands_still(three: Cluster, standing: Standing) -> None:
    election = await standing(three.endpoints, lease=6)
    term = await election.campaign(ANN)
    # Where it is etcd's own leader that stands still, the others take up to 2 s to have a new one.
    for node in three.nodes:
        node.freeze()
        began = time.monotonic()
        while time.monotonic() - began < 2.2:
            assert term.remaining() > 0
            await asyncio.sleep(_LOOK_SECONDS)
        node.thaw()
        three.wait_ready()


async def test_without_a_majority_the_leader_stops_and_with_it_one_leads_again(
    three: Cluster, standing: Standing
) -> None:
    first, second = await standing(three.endpoints, lease=1), await standing(three.endpoints, lease=1)
    term = await first.campaign(ANN)
    waiting = asyncio.create_task(second.campaign(BOB))
    for node in three.nodes[:2]:
        node.kill()
    await asyncio.wait_for(term.wait_lost(), 1 + LATE)
    assert first.leader() is None
    again = asyncio.create_task(first.campaign(ANN))
    three.mend()
    done, _ = await asyncio.wait({waiting, again}, timeout=1 + LATE, return_when=asyncio.FIRST_COMPLETED)
    (won,) = done
    leader = BOB if won is waiting else ANN
    for election in (first, second):
        await eventually(partial(_follows, election, leader))
    again.cancel()
    waiting.cancel()


async def test_a_majority_that_is_soon_back_costs_no_term(three: Cluster, standing: Standing) -> None:
    election = await standing(three.endpoints, lease=4)
    term = await election.campaign(ANN)
    for node in three.nodes[:2]:
        node.kill()
    await eventually(lambda: term.remaining() < 1.7, deadline=5)
    three.mend()
    assert await eventually(lambda: term.remaining() > 2.5, deadline=5)


async def test_an_etcd_that_is_away_at_the_start_is_waited_for(three: Cluster, standing: Standing) -> None:
    for node in three.nodes:
        node.kill()
    election = await standing(three.endpoints, lease=1)
    assert election.leader() is None
    waiting = asyncio.create_task(election.campaign(ANN))
    three.mend()
    assert (await asyncio.wait_for(waiting, 1 + LATE)).remaining() > 0
    await eventually(lambda: election.leader() == ANN)


async def test_an_etcd_restored_from_a_backup_elects_again_at_an_earlier_revision(
    breakable: Cluster, standing: Standing, tmp_path: Path
) -> None:
    """The ledger refuses that one, until an operator resets the election."""
    node = breakable.nodes[0]
    node.kill()
    shutil.copytree(node.folder / node.name, tmp_path / "backup")
    node.start()
    breakable.wait_ready()
    election = await standing(breakable.endpoints, lease=1)
    for _ in range(5):
        term = await election.campaign(ANN)
        if term.revision < 10:
            await term.resign()
    late = await election.campaign(ANN)
    node.kill()
    shutil.rmtree(node.folder / node.name)
    shutil.copytree(tmp_path / "backup", node.folder / node.name)
    node.start()
    breakable.wait_ready()
    await asyncio.wait_for(late.wait_lost(), 1 + LATE)
    again = await asyncio.wait_for(election.campaign(ANN), 1 + LATE)
    assert again.cluster == late.cluster
    assert again.revision < late.revision
    assert election.leader() == ANN


def _follows(election: EtcdElection, leader: Leader) -> bool:
    return election.leader() == leader


class Holder:
    """What a process of holder.py has said so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []

    @property
    def claimed_until(self) -> float:
        """The last moment at which it believed it might act."""
        return max(line["until"] for line in self.lines if line["event"] == "leads" and line["may"])

    async def until(self, event: str) -> None:
        """Read until it says `event`, or `end`."""
        assert self.process.stdout is not None
        async with asyncio.timeout(15):
            while line := await self.process.stdout.readline():
                self.lines.append(json.loads(line))
                if self.lines[-1]["event"] == event:
                    return
        assert event == "end", f"it ended before it said {event}"


@asynccontextmanager
async def holder(endpoints: str, election: EtcdElection, lease: float) -> AsyncIterator[Holder]:
    """holder.py, standing for the election that `election` is a view of."""
    name = election.prefix.split("/")[2]
    module = "services.coordinator.tests.election.holder"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, endpoints, name, str(lease), BOB.name, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield Holder(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
