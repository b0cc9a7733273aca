"""A ledger that moves from one database to another."""

from __future__ import annotations

import pytest

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core.artifact import ArtifactRef, AttachArtifacts
from crossfleet.coordinator.core.outcomes import RunState
from crossfleet.coordinator.ledger import exporting, importing, tables
from crossfleet.coordinator.ledger.ledger import Ledger
from crossfleet.coordinator.ledger.postgres import PostgresAddress
from crossfleet.coordinator.ledger.sql import SqlStore
from crossfleet.coordinator.ledger.store import Deposed, Head, StoreFailed
from services.coordinator.tests.ledger.scenario import hello, start, submit, work_off


@pytest.fixture
def another(request, tmp_path):
    """Makes an empty database of a kind: `sqlite` or `postgres`."""
    stores: list[SqlStore] = []

    def make(kind):
        number = len(stores)
        if kind == "postgres":
            stores.append(SqlStore.postgres(PostgresAddress(request.getfixturevalue("postgres_url"))))
        else:
            stores.append(SqlStore.sqlite(tmp_path / f"{number}.sqlite"))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


def exported(store):
    parts = list(exporting.export(store._engine))
    return parts[0], parts[1:]


def contents(store):
    found: dict[str, list] = {}
    for name, columns, rows in exported(store)[1]:
        found.setdefault(name, []).extend(dict(zip(columns, row, strict=True)) for row in rows)
    return {name: sorted(rows, key=str) for name, rows in found.items()}


def filled(store):
    """A ledger with a run that is over and one whose tasks are out."""
    ledger = Ledger(store)
    ledger.open("first")
    start(ledger, "ended")
    attach = AttachArtifacts("ended", (ArtifactRef("default", "a.txt", "0" * 64, 1, "", ""),))
    ledger.commit([attach], 1.5)
    work_off(ledger)
    start(ledger, "open")
    return ledger


def moved(source, target):
    head, portions = exported(source)
    counts: dict[str, int] = {}
    for name, _, rows in portions:
        counts[name] = counts.get(name, 0) + len(rows)
    return target.fill(head, portions, counts)


@pytest.mark.parametrize("way", ["sqlite sqlite", "sqlite postgres", "postgres sqlite"])
def test_a_ledger_moves_whole_and_goes_on_where_it_was(another, way):
    source, target = map(another, way.split())
    before = filled(source)
    moved(source, target)

    assert contents(target) == contents(source)
    after = Ledger(target)
    after.open("second")
    assert after.state.runs.keys() == before.state.runs.keys()
    assert after.state.attempts == before.state.attempts
    # The worker is back with what it has, and the run ends.
    held = [c.HeldAllocation(one, tuple(after.state.attempts), ()) for one in after.state.allocations]
    after.commit([hello("s2", held=held)], 4.0)
    work_off(after, now=5.0)
    assert after.state.past_runs == {"ended", "open"}


def test_an_older_leader_cannot_write_into_a_restored_ledger(another):
    source, target = another("sqlite"), another("sqlite")
    old = filled(source)
    moved(source, target)
    old.store = target
    for _ in range(3):
        Ledger(source).open("other")

    with pytest.raises(Deposed):
        old.commit([submit("late")], 9.0)


def test_nothing_that_was_given_out_after_the_backup_is_given_out_again(another):
    source, target = another("sqlite"), another("sqlite")
    old = filled(source)
    head, _ = exported(source)
    moved(source, target)
    start(old, "later")
    new = Ledger(target)
    new.open("second")
    start(new, "elsewhere")

    given = {attempt for attempt in new.state.attempts if new.state.attempts[attempt].run_id == "elsewhere"}
    assert given
    assert not given & set(old.state.attempts)
    assert new.seq > old.seq > head.seq
    assert new.state.runs["elsewhere"].state is RunState.RUNNING


@pytest.mark.parametrize("how", ["led", "with a run"])
def test_only_an_empty_place_is_filled(another, how):
    source, target = another("sqlite"), another("sqlite")
    filled(source)
    if how == "led":
        Ledger(target).open("somebody")
    else:
        moved(source, target)

    with pytest.raises(importing.NotEmpty, match="not empty"):
        moved(source, target)
    with pytest.raises(importing.NotEmpty):
        target.check_empty()


def test_what_does_not_fit_leaves_the_place_empty(another):
    target = another("sqlite")
    rows = [("collections", ["digest", "cases"], [("0" * 64, b"x")])]
    for portions, expected in (
        ([*rows, ("runs_of_a_later_version", ["a"], [(1,)])], {}),
        ([("collections", ["digest", "cases", "later"], [("0" * 64, b"x", 1)])], {}),
        (rows, {"collections": 2}),
    ):
        with pytest.raises(StoreFailed):
            target.fill(Head(epoch=1), portions, expected)
    target.check_empty()
    assert contents(target) == {}
    assert set(tables.metadata.tables) > {"collections"}


def test_an_error_of_sql_shows_no_values(another):
    store = another("sqlite")
    rows = [{"digest": "secret", "cases": "no bytes"}]

    with pytest.raises(StoreFailed) as failed:
        store._transact(lambda connection: connection.execute(tables.collections.insert(), rows))

    assert "secret" not in f"{failed.value} {failed.value.__cause__}"
