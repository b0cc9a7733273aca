from __future__ import annotations

import pytest

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core.artifact import ArtifactRef, AttachArtifacts
from crossfleet.coordinator.ledger import tables
from crossfleet.coordinator.ledger.ledger import Ledger
from crossfleet.coordinator.ledger.memory import MemoryStore
from crossfleet.coordinator.ledger.store import Cleaning, Deposed
from services.coordinator.tests.ledger.scenario import compare, start, work_off


def opened(database) -> Ledger:
    ledger = Ledger(database())
    ledger.open("test", "cluster", 1)
    return ledger


def rows_of(store, run_id: str) -> dict[str, int]:
    """Rows by table that name a run, other than none."""
    found = {}
    for table in tables.metadata.sorted_tables:
        column = next((name for name in ("run_id", "group_id") if name in table.c), None)
        if column is None:
            continue
        if isinstance(store, MemoryStore):
            values = [row[column] for row in store.rows[table.name].values()]
        else:
            values = store._transact(
                lambda connection, t=table, n=column: list(
                    connection.execute(t.select().with_only_columns(t.c[n])).scalars()
                )
            )
        number = sum(value.split("/")[0] == run_id for value in values)
        if number:
            found[table.name] = number
    return found


def drop(ledger: Ledger, run_id: str, rows: int) -> int:
    """Forgets a run and sweeps until nothing is left; answers the batches."""
    store, epoch = ledger.store, ledger.epoch
    store.clean(Cleaning(runs={run_id: f"request-{run_id}"}), epoch)
    batches = 0
    while store.clean(Cleaning(groups=[(run_id, f"{run_id}/default")], rows=rows), epoch):
        batches += 1
        assert batches < 1000
    return batches


def test_a_dropped_run_leaves_nothing_and_other_runs_stay_whole(database):
    ledger = opened(database)
    for run_id in ("old", "kept"):
        start(ledger, run_id)
        attach = AttachArtifacts(run_id, (ArtifactRef("default", "a.txt", "0" * 64, 1, "", ""),))
        ledger.commit([attach], 1.5)
        work_off(ledger)
    kept = rows_of(ledger.store, "kept")

    drop(ledger, "old", 100)

    assert rows_of(ledger.store, "old") == {}
    assert rows_of(ledger.store, "kept") == kept
    assert {"runs", "verdicts", "results", "events", "attempts", "allocations", "artifacts"} <= kept.keys()


def test_what_a_dropped_run_has_proved_goes_with_it(database):
    ledger = opened(database)
    compare(ledger, "old", digest="a")
    compare(ledger, "kept", digest="b")
    assert rows_of(ledger.store, "old")["proofs"] == 1
    store, epoch = ledger.store, ledger.epoch
    store.clean(Cleaning(runs={"old": "request-old"}), epoch)
    while store.clean(Cleaning(groups=[("old", "old/default"), ("old", "old/later")], rows=100), epoch):
        pass
    assert rows_of(ledger.store, "old") == {}
    assert rows_of(ledger.store, "kept")["proofs"] == 1


def test_a_large_run_goes_in_small_batches(database):
    ledger = opened(database)
    start(ledger, "old", cases=[f"case {number}" for number in range(60)], policy=c.PolicySpec(max_cases_per_task=7))
    work_off(ledger)
    before = sum(rows_of(ledger.store, "old").values())

    batches = drop(ledger, "old", 40)

    assert rows_of(ledger.store, "old") == {}
    assert isinstance(ledger.store, MemoryStore) or batches >= before // 40 > 1


def test_a_live_run_is_not_dropped_whatever_is_asked_for(database):
    ledger = opened(database)
    start(ledger, "open")
    before = rows_of(ledger.store, "open")
    cleaning = Cleaning(runs={"open": "request-open"}, groups=[("open", "open/default")])

    assert ledger.store.clean(cleaning, ledger.epoch) == 0
    assert rows_of(ledger.store, "open") == before


def test_a_deposed_leader_removes_nothing(database):
    ledger = opened(database)
    start(ledger, "old")
    work_off(ledger)
    before = rows_of(ledger.store, "old")
    successor = Ledger(database())
    successor.open("other", "cluster", 2)

    with pytest.raises(Deposed):
        ledger.store.clean(Cleaning(runs={"old": "request-old"}), ledger.epoch)
    assert rows_of(successor.store, "old") == before
