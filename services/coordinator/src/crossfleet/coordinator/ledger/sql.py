"""SqlStore: the store on SQLite or PostgreSQL, one synchronous connection."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, select, text, update
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from crossfleet.coordinator.ledger import schema, statements, tables
from crossfleet.coordinator.ledger.engines import postgres_engine, sqlite_engine
from crossfleet.coordinator.ledger.history import observe_durations
from crossfleet.coordinator.ledger.needed import collection_digests
from crossfleet.coordinator.ledger.store import (
    Batch,
    CommitUnsettled,
    Deposed,
    Head,
    Observed,
    Stored,
    StoreFailed,
    StoreFull,
    TakeOverRefused,
)

_T = TypeVar("_T")

_head = tables.ledger_head
_MOVE = text(
    "UPDATE ledger_head SET seq = :seq, next_attempt = :attempt, next_task = :task, next_allocation = :allocation"
    " WHERE id = 1 AND epoch = :epoch AND seq = :before"
)
# Without an election (an embedded fleet) the cluster is empty, and whoever holds the file's lock leads.
_TAKE_OVER = text(
    "UPDATE ledger_head SET epoch = epoch + 1, leader = :leader, election_cluster = :cluster,"
    " election_revision = :revision, backend_pid = :pid WHERE id = 1 AND (epoch = 0"
    " OR (election_cluster = :cluster AND (:cluster = '' OR election_revision < :revision)))"
)
# In PostgreSQL 53100 is disk_full.
_FULL_STATES = frozenset({"53100"})


class SqlStore:
    """One connection, used by one thread at a time. `SqlStore.sqlite` and `SqlStore.postgres` open one."""

    def __init__(self, engine: Engine) -> None:
        """Create or check the schema. Raises SchemaUnsupported, StoreFailed."""
        self._engine = engine
        self._statements = statements.Statements(engine.dialect)
        self._connection: Connection | None = None
        schema.prepare(engine)

    @property
    def on_local_disk(self) -> bool:
        """Whether this is SQLite."""
        return self._engine.dialect.name == "sqlite"

    @classmethod
    def sqlite(cls, path: str | Path) -> SqlStore:
        """A file on a local disk, made if it is not there; WAL, synchronous=FULL."""
        return cls(sqlite_engine(str(path)))

    @classmethod
    def postgres(cls, url: str) -> SqlStore:
        """A PostgreSQL database, by a URL such as postgresql+psycopg://host/name. Needs psycopg."""
        return cls(postgres_engine(url))

    def take_over(self, leader: str, cluster: str, revision: int) -> Head:
        """Raise the epoch; waits for an open transaction of the old leader. Raises TakeOverRefused, StoreFailed."""

        def raise_epoch(connection: Connection) -> None:
            pid = 0
            if self._engine.dialect.name == "postgresql":
                pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            moved = connection.execute(
                _TAKE_OVER, {"leader": leader, "cluster": cluster, "revision": revision, "pid": pid}
            )
            if moved.rowcount != 1:
                found = read_head(connection)
                raise TakeOverRefused(
                    f"revision {revision} of cluster {cluster!r} does not follow {found.election_revision} of"
                    f" {found.election_cluster!r}; if that election was reset, run: crossfleet admin election reset"
                )

        self._transact(raise_epoch)
        return self.head()

    def load(self) -> Stored:
        """All that is not over, in a few queries."""
        return self._transact(_load)

    def commit(self, batch: Batch) -> None:
        """Write a batch, or nothing: on return it is durable. A commit whose answer was lost is settled by the head."""

        def write(connection: Connection) -> None:
            moved = connection.execute(
                _MOVE,
                {
                    "seq": batch.seq,
                    "before": batch.seq - 1,
                    "epoch": batch.epoch,
                    "attempt": batch.next_attempt,
                    "task": batch.next_task,
                    "allocation": batch.next_allocation,
                },
            )
            if moved.rowcount != 1:
                found = read_head(connection)
                raise Deposed(f"the head is at {found.epoch}.{found.seq}, not {batch.epoch}.{batch.seq - 1}")
            for rows in batch.writes:
                self._statements.write(connection, rows)

        try:
            self._transact(write)
        except StoreFailed:
            # Locking the head waits for what an earlier connection may still commit.
            try:
                head = self._settled_head()
            except (StoreFailed, StoreFull) as unknown:
                raise CommitUnsettled(f"commit {batch.seq} may or may not have been written: {unknown}") from unknown
            if (head.epoch, head.seq) != (batch.epoch, batch.seq):
                raise

    def head(self) -> Head:
        """The head as it is committed."""
        return self._transact(read_head)

    def observe(self, observed: Observed, epoch: int) -> None:
        """Update the duration model."""

        def learn(connection: Connection) -> None:
            _fence(connection, epoch)
            observe_durations(connection, self._statements, observed)

        self._transact(learn)

    def prune(self, before_seq: int, epoch: int) -> None:
        """Drop the events of commits before `before_seq` whose runs are over."""

        def drop(connection: Connection) -> None:
            _fence(connection, epoch)
            live = select(tables.runs.c.run_id).where(tables.runs.c.live)
            old = tables.events.c.seq < before_seq
            connection.execute(tables.events.delete().where(old, tables.events.c.run_id.not_in(live)))
            connection.execute(update(_head).where(_head.c.first_seq < before_seq).values(first_seq=before_seq))

        self._transact(drop)

    def close(self) -> None:
        """Let go of the connection and the file."""
        self._drop_connection()
        self._engine.dispose()

    def _settled_head(self) -> Head:
        def locked(connection: Connection) -> Head:
            connection.execute(text("UPDATE ledger_head SET id = 1 WHERE id = 1"))
            return read_head(connection)

        return self._transact(locked)

    def _open(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError, sqlite3.Error):
                connection.invalidate()
                connection.close()

    def _transact(self, work: Callable[[Connection], _T]) -> _T:
        """One transaction. Raises what `work` raises, StoreFull and StoreFailed."""
        try:
            connection = self._open()
            with connection.begin():
                return work(connection)
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            self._drop_connection()
            raise _failure(error) from error


def _failure(error: Exception) -> StoreFull | StoreFailed:
    cause = error.orig if isinstance(error, DBAPIError) else error
    full = (
        (isinstance(cause, OSError) and cause.errno == errno.ENOSPC)
        or getattr(cause, "sqlite_errorname", "") == "SQLITE_FULL"
        or getattr(cause, "sqlstate", "") in _FULL_STATES
    )
    return StoreFull(str(cause)) if full else StoreFailed(f"{type(cause).__name__}: {cause}")


def _fence(connection: Connection, epoch: int) -> None:
    moved = connection.execute(
        text("UPDATE ledger_head SET epoch = :epoch WHERE id = 1 AND epoch = :epoch"), {"epoch": epoch}
    )
    if moved.rowcount != 1:
        raise Deposed(f"epoch {epoch} is over")


def read_head(connection: Connection) -> Head:
    """The head row, as the transaction sees it."""
    row = connection.execute(select(_head).where(_head.c.id == 1)).one()
    return Head(
        row.epoch,
        row.seq,
        row.leader,
        row.election_cluster,
        row.election_revision,
        row.next_attempt,
        row.next_task,
        row.next_allocation,
        row.first_seq,
    )


def _load(connection: Connection) -> Stored:
    runs = tables.runs.c
    live = select(runs.run_id).where(runs.live)
    events = tables.events.c
    facts = [
        (row.seq, row.at, row.body)
        for row in connection.execute(
            select(events.seq, events.at, events.body)
            .where(events.run_id.in_(live))
            .order_by(events.seq, events.run_id)
        )
    ]
    collections = tables.collections.c
    digests = sorted(collection_digests(body for _, _, body in facts))
    found: dict[str, bytes] = {}
    for start in range(0, len(digests), 500):
        some = digests[start : start + 500]
        for row in connection.execute(select(tables.collections).where(collections.digest.in_(some))):
            found[row.digest] = row.cases
    requests = select(runs.request_id, runs.run_id, runs.fingerprint, runs.live)
    return Stored(
        read_head(connection),
        [dict(row) for row in connection.execute(select(tables.runs).where(runs.live)).mappings()],
        [(row[0], row[1], row[2], row[3]) for row in connection.execute(requests)],
        facts,
        found,
        [dict(row) for row in connection.execute(select(tables.workers)).mappings()],
    )
