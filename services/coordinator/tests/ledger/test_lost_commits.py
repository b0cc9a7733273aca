"""Connections to PostgreSQL that break at COMMIT, by a relay between the store and the server."""

import asyncio

import pytest

from crossfleet.coordinator.ledger.ledger import Ledger
from crossfleet.coordinator.ledger.postgres import PostgresAddress
from crossfleet.coordinator.ledger.sql import SqlStore
from crossfleet.coordinator.ledger.store import CommitUnsettled, StoreAway
from services.coordinator.tests.ledger.scenario import start, submit
from tests.faults.proxy import Relay


@pytest.fixture
async def relay(postgres_server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("relay")
    async with Relay(folder / postgres_server.socket.name, postgres_server.socket) as between:
        yield between


@pytest.fixture
async def ledger(relay, postgres_server, postgres_url):
    url = postgres_url.replace(str(postgres_server.folder), str(relay.inside.parent))
    store = await asyncio.to_thread(SqlStore.postgres, PostgresAddress(url))
    opened = Ledger(store)
    await asyncio.to_thread(opened.open, "leader", "etcd", 1)
    await asyncio.to_thread(start, opened)
    yield opened
    store.close()


async def test_a_commit_whose_answer_is_lost_is_answered_once_it_is_known(relay, ledger):
    relay.lose(b"COMMIT", answer=True, stay_cut=False)
    (answer,) = (await asyncio.to_thread(ledger.commit, [submit("one")], 2.0)).answers

    assert answer.changed
    assert relay.connections == 3, "schema, the lost one, and the one that settled it"
    assert (await asyncio.to_thread(ledger.store.head)).seq == ledger.seq


async def test_a_commit_that_did_not_arrive_is_written_by_the_next_try(relay, ledger):
    relay.lose(b"COMMIT", answer=False, stay_cut=False)
    commands = [submit("one")]
    prepared = ledger.prepare(commands, 2.0)
    with pytest.raises(StoreAway) as away:
        await asyncio.to_thread(ledger.write, commands, prepared)

    assert not isinstance(away.value, CommitUnsettled), "the head was read: nothing was written"
    assert await asyncio.to_thread(ledger.write, commands, prepared) is None
    ledger.accept(prepared)
    assert (await asyncio.to_thread(ledger.store.head)).seq == ledger.seq


@pytest.mark.parametrize("answer", [True, False])
async def test_a_commit_that_cannot_be_settled_is_given_again_and_written_once(relay, ledger, answer):
    before = ledger.seq
    commands = [submit("one")]
    prepared = ledger.prepare(commands, 2.0)
    relay.lose(b"COMMIT", answer=answer, stay_cut=True)
    with pytest.raises(CommitUnsettled):
        await asyncio.to_thread(ledger.write, commands, prepared)
    relay.heal()

    assert await asyncio.to_thread(ledger.write, commands, prepared) is None
    ledger.accept(prepared)
    successor = Ledger(ledger.store)
    await asyncio.to_thread(successor.open, "successor", "etcd", 2)
    assert successor.seq == before + 1
    assert set(successor.state.runs) == {"run", "one"}
