"""The election on a real etcd that is well."""

from __future__ import annotations

import asyncio
import time
from functools import partial

import pytest

from crossfleet.coordinator.election.etcd import EtcdElection, open_election
from crossfleet.coordinator.election.port import Leader
from crossfleet.coordinator.ledger.store import Head
from crossfleet.foundation.etcd.client import EtcdClient
from crossfleet.foundation.etcd.settings import EtcdSettings
from crossfleet.foundation.wait import eventually
from services.coordinator.tests.election.conftest import Standing
from tests.real.etcd import Cluster

pytestmark = pytest.mark.needs_etcd

ANN, BOB, EVE = Leader("ann", "ann:1"), Leader("bob", "bob:1"), Leader("eve", "eve:1")
_LOOK_SECONDS = 0.01


async def test_one_leads_and_all_know_who(one: Cluster, standing: Standing) -> None:
    elections = [await standing(one.endpoints) for _ in range(3)]
    assert [election.leader() for election in elections] == [None, None, None]
    term = await elections[0].campaign(ANN)
    assert term.remaining() > 0
    assert term.cluster
    assert term.revision > 0
    for election in elections:
        assert await eventually(partial(_leads, election, ANN))


async def test_the_leader_of_another_election_on_the_same_etcd_is_no_successor(one: Cluster) -> None:
    terms = []
    for name in ("default", "other", "other"):
        election = await open_election(EtcdSettings(endpoints=one.endpoints), name, 1.0)
        terms.append(await asyncio.wait_for(election.campaign(ANN), 5))
        await election.close()
    default, other, again = terms
    assert other.cluster == again.cluster
    assert not Head(election_cluster=default.cluster, election_revision=default.revision).admits(
        other.cluster, other.revision
    )
    assert Head(election_cluster=other.cluster, election_revision=other.revision).admits(again.cluster, again.revision)


async def test_candidates_lead_in_the_order_in_which_they_came(one: Cluster, standing: Standing) -> None:
    first, second, third = [await standing(one.endpoints) for _ in range(3)]
    term = await first.campaign(ANN)
    terms = [term]
    waiting = []
    for election, who in ((second, BOB), (third, EVE)):
        before = await _places(one, election.prefix)
        waiting.append(asyncio.create_task(election.campaign(who)))
        await eventually(partial(_more, one, election.prefix, before))
    assert not any(task.done() for task in waiting)
    for task in waiting:
        await term.resign()
        term = await asyncio.wait_for(task, 20)
        terms.append(term)
    assert third.leader() == EVE
    assert [t.revision for t in terms] == sorted({t.revision for t in terms})
    assert [t.remaining() > 0 for t in terms] == [False, False, True]


async def test_resigning_hands_over_at_once(one: Cluster, standing: Standing) -> None:
    first, second = await standing(one.endpoints, lease=30), await standing(one.endpoints, lease=30)
    term = await first.campaign(ANN)
    task = asyncio.create_task(second.campaign(BOB))
    await eventually(lambda: _more(one, second.prefix, 1))
    began = time.monotonic()
    await term.resign()
    await asyncio.wait_for(task, 20)
    assert time.monotonic() - began < 10  # milliseconds where nothing else runs; the lease is 30 s
    assert await term.wait_lost() == "resigned"


async def test_who_withdraws_is_not_waited_for(one: Cluster, standing: Standing) -> None:
    first, second, third = [await standing(one.endpoints, lease=30) for _ in range(3)]
    term = await first.campaign(ANN)
    giving_up = asyncio.create_task(second.campaign(BOB))
    await eventually(lambda: _more(one, first.prefix, 1))
    waiting = asyncio.create_task(third.campaign(EVE))
    await eventually(lambda: _more(one, first.prefix, 2))
    giving_up.cancel()
    await asyncio.gather(giving_up, return_exceptions=True)
    assert await _places(one, first.prefix) == 2
    await term.resign()
    assert (await asyncio.wait_for(waiting, 5)).remaining() > 0


async def test_an_operator_ends_a_term_by_deleting_its_key(one: Cluster, standing: Standing) -> None:
    election = await standing(one.endpoints, lease=30)
    term = await election.campaign(ANN)
    client = EtcdClient(EtcdSettings(endpoints=one.endpoints))
    assert await client.delete_prefix(election.prefix) == 1
    await client.close()
    assert "deleted" in await asyncio.wait_for(term.wait_lost(), 5)
    assert term.remaining() == 0
    assert election.leader() is None
    again = await asyncio.wait_for(election.campaign(ANN), 5)
    assert again.revision > term.revision


async def test_a_key_that_was_written_by_hand_does_not_lead(one: Cluster, standing: Standing) -> None:
    election = await standing(one.endpoints)
    client = EtcdClient(EtcdSettings(endpoints=one.endpoints))
    await client.put(election.prefix + "0000", b"me")
    await client.close()
    term = await asyncio.wait_for(election.campaign(ANN), 5)
    assert term.remaining() > 0
    assert election.leader() == ANN


async def test_a_leader_of_another_version_leads_under_an_unknown_address(one: Cluster, standing: Standing) -> None:
    election = await standing(one.endpoints)
    client = EtcdClient(EtcdSettings(endpoints=one.endpoints))
    lease = await client.lease(30)
    await client.put(election.prefix + "strange", b"\xff", lease.id)
    assert await eventually(lambda: election.leader() == Leader(election.prefix + "strange", ""))
    await client.revoke_lease(lease.id)
    await client.close()


async def test_a_term_lasts_while_its_lease_is_renewed(one: Cluster, standing: Standing) -> None:
    term = await (await standing(one.endpoints, lease=1)).campaign(ANN)
    began = time.monotonic()
    least = 1.0
    while time.monotonic() - began < 1.5:
        await asyncio.sleep(_LOOK_SECONDS)  # what is shown is that it lasts
        least = min(least, term.remaining())
    assert least > 0


async def _places(cluster: Cluster, prefix: str) -> int:
    client = EtcdClient(EtcdSettings(endpoints=cluster.endpoints))
    try:
        return len((await client.get_prefix(prefix)).kvs)
    finally:
        await client.close()


async def _more(cluster: Cluster, prefix: str, than: int) -> bool:
    return await _places(cluster, prefix) > than


def _leads(election: EtcdElection, leader: Leader) -> bool:
    return election.leader() == leader
