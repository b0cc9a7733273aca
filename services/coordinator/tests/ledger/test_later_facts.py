"""Facts that a later version has written into open runs."""

from __future__ import annotations

from contextlib import AsyncExitStack

import msgspec
import pytest
from sqlalchemy import insert

from crossfleet.coordinator.config import Settings
from crossfleet.coordinator.election.solo import SoloTerm
from crossfleet.coordinator.ledger import codec, tables
from crossfleet.coordinator.ledger.ledger import Ledger
from crossfleet.coordinator.ledger.patience import NO_PATIENCE
from crossfleet.coordinator.ledger.sql import SqlStore
from crossfleet.coordinator.opening import database_of, open_ledger
from crossfleet.foundation.errors import SchemaVersionUnsupported
from services.coordinator.tests.ledger.scenario import start


@pytest.fixture
def written(tmp_path):
    """Writes a fact of a number into an open run; answers the state as it was before."""

    def write(number):
        store = SqlStore.sqlite(tmp_path / "ledger.sqlite")
        ledger = Ledger(store)
        ledger.open("later")
        start(ledger)
        body = codec._pack(msgspec.msgpack.encode([(0, number, ("run", "whatever it says", 7))]))
        row = {"seq": ledger.seq + 1, "run_id": "run", "at": 2.0, "body": body}
        store._transact(lambda connection: connection.execute(insert(tables.events), row))
        store.close()
        return ledger.state

    return write


def test_a_leader_leaves_out_what_a_later_version_only_added(tmp_path, written):
    before = written(99)
    store = SqlStore.sqlite(tmp_path / "ledger.sqlite")
    ledger = Ledger(store)
    ledger.open("earlier")
    store.close()

    assert ledger.state.runs == before.runs
    assert ledger.state.attempts == before.attempts


async def test_a_coordinator_that_cannot_understand_an_open_run_does_not_lead_and_says_why(tmp_path, written):
    written(100)
    opened = database_of(Settings(data=str(tmp_path)), tmp_path)
    refused = pytest.raises(SchemaVersionUnsupported, match=r"facts of kind '100'.* install a later one")
    async with AsyncExitStack() as stack:
        stack.enter_context(refused)
        await open_ledger(stack, opened, SoloTerm(), leader="earlier", limit=1, patience=NO_PATIENCE)
