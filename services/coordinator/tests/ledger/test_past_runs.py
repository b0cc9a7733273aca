"""What estimates ask of earlier runs, on both databases."""

import pytest

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core.outcomes import Outcome
from crossfleet.coordinator.ledger.engines import sqlite_reader
from crossfleet.coordinator.ledger.ledger import Ledger
from crossfleet.coordinator.ledger.past_queries import past_cases, past_figures, past_targets
from crossfleet.coordinator.ledger.postgres import PostgresAddress, reading
from crossfleet.coordinator.ledger.sql import SqlStore
from services.coordinator.tests.ledger.scenario import finish, start, work_off


@pytest.fixture(params=["sqlite", "postgres"])
def opened(request, tmp_path):
    """A ledger, and a connection that reads it."""
    if request.param == "postgres":
        address = PostgresAddress(request.getfixturevalue("postgres_url"))
        store, engine = SqlStore.postgres(address), reading(address)
    else:
        store = SqlStore.sqlite(tmp_path / "ledger.db")
        engine = sqlite_reader(str(tmp_path / "ledger.db"))
    ledger = Ledger(store)
    ledger.open("leader")
    yield ledger, engine
    engine.dispose()
    store.close()


def test_earlier_runs_are_found_with_their_cases_and_what_they_took(opened):
    ledger, engine = opened
    start(ledger, "first", now=1.0)
    work_off(ledger, now=3.0)
    start(ledger, "second", now=10.0, cases=("a", "b"))
    first, *others = list(ledger.state.attempts.values())
    ledger.commit([finish(first, Outcome.SKIPPED, seconds=0.0), *map(finish, others)], 12.0)
    work_off(ledger, now=12.0)
    start(ledger, "stopped", now=20.0)
    ledger.commit([c.StopRun("stopped", "cancelled")], 21.0)

    with engine.connect() as connection:
        found = past_targets(connection, "p", "s", "noop", 10)
        cases = past_cases(connection, found[0].group_id, found[0].digest)
        figures = past_figures(connection, found[1])
        elsewhere = past_targets(connection, "p", "other", "noop", 10)

    assert [one.run_id for one in found] == ["second", "first"]
    assert (set(cases.ids), len(cases.skipped)) == ({"a", "b"}, 1)
    assert figures is not None
    assert figures.cases == 4
    assert (figures.seconds, figures.setup_seconds, figures.slot_seconds) == pytest.approx((1.0, 0.0, 4.0))
    assert elsewhere == []
