"""What only PostgreSQL can do to a ledger: its backends, locks, roles and rights."""

import asyncio
import contextlib
import random
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import text

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core.answers import RunAnswer
from crossfleet.coordinator.core.emitter import Rejection
from crossfleet.coordinator.core.outcomes import Outcome
from crossfleet.coordinator.election.solo import SoloTerm
from crossfleet.coordinator.ledger import postgres, postgres_store, reset
from crossfleet.coordinator.ledger.database import PostgresDatabase
from crossfleet.coordinator.ledger.ledger import Ledger
from crossfleet.coordinator.ledger.patience import NO_PATIENCE
from crossfleet.coordinator.ledger.postgres import PostgresAddress
from crossfleet.coordinator.ledger.queries import Queries
from crossfleet.coordinator.ledger.sql import SqlStore
from crossfleet.coordinator.ledger.store import (
    Batch,
    Deposed,
    Mode,
    StoreAway,
    StoreFailed,
    StoreLocked,
    StoreRefused,
    TakeOverRefused,
    Write,
)
from crossfleet.coordinator.opening import open_ledger
from crossfleet.foundation.errors import Unavailable
from services.coordinator.tests.ledger.scenario import start, submit, work_off

_HANGING_SECONDS = 0.3


@pytest.fixture
def stores(postgres_url):
    """Opens stores of one database."""
    with contextlib.ExitStack() as stack:

        def open_store(**more):
            store = SqlStore.postgres(PostgresAddress(postgres_url, **more))
            stack.callback(store.close)
            return store

        yield open_store


def setting(store, name):
    return store._transact(lambda connection: connection.execute(text(f"SHOW {name}")).scalar())


def batch_of(head, digest="d"):
    rows = [{"digest": digest, "cases": b""}]
    return Batch(head.epoch, head.seq + 1, 1, 1, 1, [Write("collections", Mode.INSERT, rows)])


def backends(server):
    return {
        pid
        for (pid,) in server.execute(f"SELECT pid FROM pg_stat_activity WHERE application_name = '{postgres.WRITER}'")
    }


def test_commits_wait_for_the_disk_and_silent_clients_are_bounded(stores, postgres_server, postgres_url):
    postgres_server.execute(
        f"ALTER DATABASE {postgres_url.partition('?')[0].rpartition('/')[2]} SET synchronous_commit = off"
    )
    store = stores(hold_seconds=3.0)

    assert setting(store, "synchronous_commit") == "on"
    assert setting(store, "idle_in_transaction_session_timeout") == "3s"
    assert store._connection.connection.driver_connection.info.get_parameters()["tcp_user_timeout"] == "3000"


def test_the_row_of_the_head_is_updated_in_place(stores, postgres_server, postgres_url):
    store = stores()
    store.take_over("leader", "etcd", 1)
    for number in range(200):
        store.commit(batch_of(store.head(), f"d{number}"))
    name = postgres_url.partition("?")[0].rpartition("/")[2]
    store._transact(lambda connection: connection.execute(text("SELECT pg_stat_force_next_flush()")))
    ((updates, hot),) = postgres_server.execute(
        "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'ledger_head'", name
    )
    assert updates > 200
    assert hot == updates


def test_a_read_of_several_statements_sees_one_commit(stores, postgres_url):
    store = stores()
    ledger = Ledger(store)
    ledger.open("leader", "etcd", 1)
    engine = postgres.reading(PostgresAddress(postgres_url))
    with engine.connect() as connection, connection.begin():
        before = connection.execute(text("SELECT count(*) FROM runs")).scalar()
        ledger.commit([submit("later")], 1.0)
        after = connection.execute(text("SELECT count(*) FROM runs")).scalar()
    engine.dispose()

    assert (before, after) == (0, 0)


async def test_readers_cannot_write_and_come_back_after_a_restart(stores, postgres_server, postgres_url):
    ledger = Ledger(stores())
    ledger.open("leader", "etcd", 1)
    start(ledger)
    queries = Queries.postgres(PostgresAddress(postgres_url))
    try:
        assert len(await queries.runs()) == 1
        with pytest.raises(Unavailable, match="read-only"):
            await queries._ask(lambda connection: connection.execute(text("DELETE FROM runs")))
        postgres_server.restart()
        assert len(await queries.runs()) == 1
    finally:
        queries.close()


def test_a_leader_goes_on_after_the_server_was_killed_and_is_back(stores, postgres_server):
    ledger = Ledger(stores())
    ledger.open("leader", "etcd", 1)
    start(ledger)
    postgres_server.kill()
    prepared = ledger.prepare([submit("during")], 2.0)
    with pytest.raises(StoreFailed):
        ledger.write([submit("during")], prepared)
    postgres_server.start()

    assert ledger.write([submit("during")], prepared) is None
    ledger.accept(prepared)
    work_off(ledger)
    assert ledger.store.head().seq == ledger.seq


def test_a_terminated_backend_costs_a_second_try_and_nothing_else(stores, postgres_server):
    store = stores()
    head = store.take_over("leader", "etcd", 1)
    for pid in backends(postgres_server):
        postgres_server.execute(f"SELECT pg_terminate_backend({pid})")

    with pytest.raises(StoreAway):
        store.commit(batch_of(head))
    store.commit(batch_of(head))
    assert store.head().seq == head.seq + 1


def test_a_ledger_is_read_back_after_what_an_earlier_connection_may_still_commit(stores, postgres_server, postgres_url):
    store = stores()
    store.take_over("leader", "etcd", 1)
    name = postgres_url.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(
        host=str(postgres_server.folder), port=postgres_server.port, user="postgres", dbname=name
    ) as earlier:
        earlier.execute("UPDATE ledger_head SET seq = 1")
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(store.load)
            with pytest.raises(TimeoutError):
                waiting.result(0.2)
            earlier.commit()
            assert waiting.result(10).head.seq == 1


def test_a_successor_ends_the_transaction_of_a_leader_that_froze_inside_it(stores, postgres_server):
    frozen = stores()
    head = frozen.take_over("frozen", "etcd", 1)
    transaction = frozen._open().begin()
    frozen._connection.execute(text("UPDATE ledger_head SET seq = seq + 1"))
    successor = stores()

    assert successor.take_over("successor", "etcd", 2).epoch == head.epoch + 1
    with contextlib.suppress(Exception):
        transaction.commit()
    frozen._drop_connection()
    with pytest.raises(Deposed):
        frozen.commit(batch_of(head))
    assert frozen.head().seq == head.seq


def test_a_deposed_leader_writes_no_row_for_which_its_successor_would_have_to_wait(stores):
    deposed, successor = stores(), stores()
    old = deposed.take_over("deposed", "etcd", 1)
    new = successor.take_over("successor", "etcd", 2)
    with deposed._open().begin():
        assert not deposed._write(deposed._connection, batch_of(old, "the same"))
        successor.commit(batch_of(new, "the same"))
    assert successor.head().seq == new.seq + 1


def test_a_candidate_that_slept_disturbs_nobody(stores, postgres_server):
    leader = stores()
    head = leader.take_over("leader", "etcd", 7)
    with leader._open().begin():
        leader._connection.execute(text("UPDATE ledger_head SET seq = seq"))
        with pytest.raises(TakeOverRefused):
            stores().take_over("late", "etcd", 6)
    leader.commit(batch_of(head))


def test_a_leader_that_may_not_be_disturbed_is_waited_for_and_the_grant_is_named(
    postgres_server, postgres_url, stores, monkeypatch
):
    monkeypatch.setattr(postgres_store, "TRIES", 2)
    stores().close()
    name = postgres_url.partition("?")[0].rpartition("/")[2]
    postgres_server.execute("DROP ROLE IF EXISTS plain")
    postgres_server.execute("CREATE ROLE plain LOGIN")
    postgres_server.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO plain", name)
    owner = stores()
    owner.take_over("owner", "etcd", 1)
    plain = SqlStore.postgres(PostgresAddress(postgres_server.url(name, "plain")))
    with owner._open().begin():
        owner._connection.execute(text("UPDATE ledger_head SET seq = seq"))
        with pytest.raises(StoreLocked, match="GRANT pg_signal_backend"):
            plain.take_over("plain", "etcd", 2)
    assert plain.take_over("plain", "etcd", 2).epoch == 2
    plain.close()


def test_a_second_coordinator_without_an_election_is_told_of_the_first(stores, monkeypatch):
    monkeypatch.setattr(postgres_store, "TRIES", 1)
    first, second = stores(), stores()
    first.take_over("first", "", 1)

    with pytest.raises(StoreLocked, match=r"etcd\.endpoints"):
        second.take_over("second", "", 2)
    first.close()
    assert second.take_over("second", "", 2).epoch == 2


def test_a_leader_without_an_election_that_is_busy_is_not_disturbed_by_a_second_one(stores, monkeypatch):
    monkeypatch.setattr(postgres_store, "TRIES", 2)
    first = stores()
    head = first.take_over("first", "", 1)
    with first._open().begin():
        first._connection.execute(text("UPDATE ledger_head SET seq = seq"))
        with pytest.raises(StoreLocked, match=r"etcd\.endpoints"):
            stores().take_over("second", "", 2)
    first.commit(batch_of(head))


def test_two_coordinators_that_start_at_once_on_an_empty_database_both_come_up(stores):
    barrier = threading.Barrier(4)

    def open_one(_):
        barrier.wait()
        return stores()

    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(open_one, range(4)))
    assert [store.head().epoch for store in opened] == [0] * 4


def test_whoever_waits_for_a_silent_server_can_be_broken_off(stores, postgres_server):
    store = stores()
    head = store.take_over("leader", "etcd", 1)
    postgres_server.freeze()
    try:
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(store.commit, batch_of(head))
            with pytest.raises(TimeoutError):
                waiting.result(0.2)
            store.cut()
            with pytest.raises(StoreFailed):
                waiting.result(5)
    finally:
        postgres_server.thaw()


async def test_a_take_over_that_hangs_can_be_cancelled(stores, postgres_server, postgres_url, monkeypatch):
    store = stores()
    store.head()
    opened = PostgresDatabase(PostgresAddress(postgres_url))
    monkeypatch.setattr(opened, "store", lambda: store)
    postgres_server.freeze()
    try:
        async with contextlib.AsyncExitStack() as stack:
            opening = asyncio.ensure_future(
                open_ledger(stack, opened, SoloTerm(), leader="hung", limit=1, patience=NO_PATIENCE)
            )
            await asyncio.wait([opening], timeout=_HANGING_SECONDS)
            opening.cancel()
            async with asyncio.timeout(5):
                with pytest.raises(asyncio.CancelledError):
                    await opening
    finally:
        postgres_server.thaw()


def test_a_standby_and_a_full_server_are_away(stores, postgres_server, postgres_url):
    store = stores()
    head = store.take_over("leader", "etcd", 1)
    name = postgres_url.partition("?")[0].rpartition("/")[2]
    postgres_server.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    store._drop_connection()
    with pytest.raises(StoreAway, match="read-only"):
        store.commit(batch_of(head))
    postgres_server.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    postgres_server.execute("DROP ROLE IF EXISTS narrow")
    postgres_server.execute("CREATE ROLE narrow LOGIN CONNECTION LIMIT 1")
    with psycopg.connect(host=str(postgres_server.folder), port=postgres_server.port, user="narrow", dbname=name):
        with pytest.raises(StoreAway, match="too many connections"):
            SqlStore.postgres(PostgresAddress(postgres_server.url(name, "narrow")))


def test_an_election_that_was_reset_takes_the_next_winner_of_any_cluster(stores, postgres_url):
    store = stores()
    head = store.take_over("leader", "old", 90)
    address = PostgresAddress(postgres_url)
    assert "backend" in reset.look(address).living
    with pytest.raises(reset.LeaderLives):
        reset.reset(address, force=False)
    reset.reset(address, force=True)

    with pytest.raises(Deposed):
        store.commit(batch_of(head))
    store.close()
    assert reset.look(address).living == ""
    assert stores().take_over("next", "new", 2).epoch == head.epoch + 2


def test_a_database_without_a_ledger_has_no_election_to_reset(postgres_url):
    with pytest.raises(StoreRefused, match="no ledger"):
        reset.reset(PostgresAddress(postgres_url), force=True)


def test_texts_may_hold_what_postgresql_cannot(stores):
    store = stores()
    ledger = Ledger(store)
    ledger.open("leader", "etcd", 1)
    start(ledger, cases=("a\0b", "\\u0000", "c"))
    attempt = next(iter(ledger.state.attempts.values()))
    failed = c.CaseOutcome(attempt.cases[0], Outcome.FAILED, 0.1, "nul \0, and \\u0000", b"\0")
    ledger.commit([c.WorkerReport("w1", "i1", (c.AttemptResults(attempt.attempt_id, (failed,)),))], 2.0)

    assert ledger.store.head().seq == ledger.seq
    (message,) = store._transact(lambda one: one.execute(text("SELECT message FROM verdicts")).scalars().all())
    assert message == "nul \N{REPLACEMENT CHARACTER}, and \\u0000"


def test_a_full_disk_of_the_server_refuses_the_write_and_loses_nothing(postgres_server, stores, postgres_url):
    disk = postgres_server.folder / "small"
    disk.mkdir()
    options = f"size=6m,mode=700,uid={postgres_server.folder.stat().st_uid}"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(disk)], check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    name = postgres_url.partition("?")[0].rpartition("/")[2]
    try:
        postgres_server.execute(f"CREATE TABLESPACE small LOCATION '{disk}'")
        postgres_server.execute(f"ALTER DATABASE {name} SET default_tablespace = small")
        ledger = Ledger(stores())
        ledger.open("leader", "etcd", 1)
        large = submit("large", tuple(f"{random.Random(n).randbytes(100).hex()}" for n in range(60_000)))
        (refused,) = ledger.commit([large], 2.0).answers
        # What was rolled back takes room until it is vacuumed away: there is room again on a larger disk.
        subprocess.run(["mount", "-o", f"remount,{options.replace('6m', '64m')}", str(disk)], check=True)
        (small,) = ledger.commit([submit("small")], 3.0).answers

        assert isinstance(refused, Rejection)
        assert refused.reason == "DISK_FULL"
        assert isinstance(small, RunAnswer)
        assert set(ledger.state.runs) == {"small"}
        ledger.store.close()
        postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        postgres_server.execute("DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
