"""Commits that fail, or whose answer gets lost."""

import sqlite3

import pytest
from sqlalchemy.exc import OperationalError

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.ledger.ledger import Ledger
from crossfleet.coordinator.ledger.memory import MemoryStore
from crossfleet.coordinator.ledger.sql import SqlStore
from crossfleet.coordinator.ledger.store import CommitUnsettled, StoreFailed
from services.coordinator.tests.ledger.scenario import start, submit


class Died(BaseException):
    """The process is gone."""


@pytest.mark.parametrize(("stage", "durable"), [("before", False), ("inside", False), ("after", True)])
def test_what_a_dead_leader_had_committed_is_there_and_nothing_else(stage, durable):
    store = MemoryStore()
    ledger = Ledger(store)
    ledger.open("first")
    ledger.commit([submit("one")], 1.0)

    def die(at, batch):
        if at == stage:
            raise Died

    store.on_commit = die
    with pytest.raises(Died):
        ledger.commit([submit("two")], 2.0)
    store.on_commit = lambda at, batch: None
    successor = Ledger(store)
    successor.open("second")

    assert ("two" in successor.state.runs) is durable
    assert "one" in successor.state.runs


@pytest.fixture
def on_disk(tmp_path):
    store = SqlStore.sqlite(tmp_path / "ledger.db")
    ledger = Ledger(store)
    ledger.open("leader")
    yield ledger
    store.close()


def test_a_full_disk_refuses_the_write_and_loses_nothing(on_disk):
    start(on_disk)
    connection = on_disk.store._open()
    with connection.begin():
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    before = (on_disk.seq, set(on_disk.state.runs), dict(on_disk.state.workers))
    large = submit("large", tuple(f"{n:050d}" for n in range(20_000)))
    outcome = on_disk.commit([large, submit("small")], 3.0)

    assert [answer.reason for answer in outcome.answers] == ["DISK_FULL", "DISK_FULL"]
    assert outcome.committed == []
    assert (on_disk.seq, set(on_disk.state.runs)) == before[:2]
    assert on_disk.state.workers["w1"].session_id == "s1"

    # The limit was the connection's own, and went with it: there is room again.
    (answer,) = on_disk.commit([large], 4.0).answers
    assert answer.changed


def test_a_commit_whose_answer_was_lost_is_settled_by_the_head(on_disk, monkeypatch):
    store = on_disk.store
    write = store._transact
    lost: list[object] = []

    def lose_the_answer(work):
        found = write(work)
        if not lost:
            lost.append(found)
            store._drop_connection()
            raise StoreFailed("the connection died at COMMIT")
        return found

    monkeypatch.setattr(store, "_transact", lose_the_answer)
    (answer,) = on_disk.commit([submit("one")], 1.0).answers

    assert lost
    assert answer.changed
    assert on_disk.seq == store.head().seq == 1


def test_nothing_is_answered_while_it_is_unknown_whether_a_commit_took_place(on_disk, monkeypatch):
    write = on_disk.store._transact
    failing = [2]

    def fail(work):
        if failing[0]:
            failing[0] -= 1
            raise StoreFailed("broken") from OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error"))
        return write(work)

    monkeypatch.setattr(on_disk.store, "_transact", fail)
    with pytest.raises(CommitUnsettled):
        on_disk.commit([submit("one")], 1.0)
    on_disk.open("leader")
    (answer,) = on_disk.commit([submit("one")], 2.0).answers

    assert answer.changed


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "ledger.db"
    path.write_bytes(b"this is not a database" * 1000)

    with pytest.raises(StoreFailed):
        SqlStore.sqlite(path)


def test_commits_are_written_through_to_the_disk(on_disk):
    connection = on_disk.store._open()
    with connection.begin():
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar()

    assert (mode, synchronous) == ("wal", 2)
    assert on_disk.commit([c.PassTime()], 1.0).committed == []
