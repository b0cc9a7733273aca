"""SqlStore: the store on SQLite or PostgreSQL, one synchronous connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection, Engine, Table, and_, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from crossfleet.coordinator.ledger import dropping, identity, schema, statements, tables
from crossfleet.coordinator.ledger.engines import sqlite_engine
from crossfleet.coordinator.ledger.failures import failure_of
from crossfleet.coordinator.ledger.history import observe_durations
from crossfleet.coordinator.ledger.store import (
    Batch,
    Cleaning,
    CommitUnsettled,
    Deposed,
    Head,
    Observed,
    Row,
    StoreAway,
    Stored,
    StoreFailed,
    StoreFull,
    TakeOverRefused,
)

if TYPE_CHECKING:
    from crossfleet.coordinator.ledger.exporting import Portion
    from crossfleet.coordinator.ledger.postgres import PostgresAddress

_T = TypeVar("_T")

_head = tables.ledger_head
_MOVE = text(
    "UPDATE ledger_head SET seq = :seq, next_attempt = :attempt, next_task = :task, next_allocation = :allocation"
    " WHERE id = 1 AND epoch = :epoch AND seq = :seq - 1"
)
# What Head.admits says, by the row as it is when the lock on it is had.
_TAKE_OVER = text(
    "UPDATE ledger_head SET epoch = epoch + 1, leader = :leader, election_cluster = :cluster,"
    " election_revision = :revision, backend_pid = :pid WHERE id = 1 AND (election_cluster = ''"
    " OR (election_cluster = :cluster AND election_revision < :revision))"
)


class SqlStore:
    """One connection, used by one thread at a time. `SqlStore.sqlite` and `SqlStore.postgres` open one."""

    def __init__(self, engine: Engine) -> None:
        """Create or check the schema. Raises SchemaUnsupported, StoreFailed."""
        self._engine = engine
        self._statements = statements.Statements(engine.dialect)
        # Those of the driver come unwrapped where it is called past SQLAlchemy.
        self._failures = (SQLAlchemyError, engine.dialect.loaded_dbapi.Error, OSError)
        self._connection: Connection | None = None
        self._unsettled: Batch | None = None
        self._cut = False
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
    def postgres(cls, address: PostgresAddress) -> SqlStore:
        """A PostgreSQL database. Needs psycopg."""
        from crossfleet.coordinator.ledger.postgres_store import PostgresStore  # a tenth of a cold start

        return PostgresStore(address)

    def take_over(self, leader: str, cluster: str, revision: int) -> Head:
        """Raise the epoch; waits for an open transaction of the old leader. Raises TakeOverRefused, StoreFailed."""

        def raise_epoch(connection: Connection) -> None:
            pid = self._enter_term(connection, cluster)
            values = {"leader": leader, "cluster": cluster, "revision": revision, "pid": pid}
            if connection.execute(_TAKE_OVER, values).rowcount != 1:
                raise TakeOverRefused(read_head(connection), cluster, revision)

        def check(connection: Connection) -> None:
            found = read_head(connection)
            if not found.admits(cluster, revision):
                raise TakeOverRefused(found, cluster, revision)

        self._with_head(raise_epoch, deposing=check)
        return self.head()

    def load(self) -> Stored:
        """All that is not over, in a few queries. Waits for what an earlier connection may still commit."""
        return self._with_head(_load)

    def commit(self, batch: Batch) -> None:
        """Write a batch, or nothing: on return it is durable. A commit whose answer was lost is settled by the head.

        After StoreAway and CommitUnsettled the same batch may be given again: it is written once.
        """

        def write(connection: Connection) -> None:
            if not self._write(connection, batch):
                found = read_head(connection)
                if batch is self._unsettled and (found.epoch, found.seq) == (batch.epoch, batch.seq):
                    return
                raise Deposed(f"the head is at {found.epoch}.{found.seq}, not {batch.epoch}.{batch.seq - 1}")

        try:
            self._transact(write)
        except StoreFailed:
            try:
                head = self._with_head(_locked_head)
            except (StoreFailed, StoreFull) as unknown:
                self._unsettled = batch
                raise CommitUnsettled(f"commit {batch.seq} may or may not have been written: {unknown}") from unknown
            if head.epoch != batch.epoch:
                raise Deposed(f"epoch {head.epoch} has begun") from None
            if head.seq != batch.seq:
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

    def prune(self, before_seq: int, epoch: int, rows: int) -> int:
        """Drop events of commits before `before_seq` whose runs are over, the oldest, about `rows`; answers how many."""

        def drop(connection: Connection) -> int:
            _fence(connection, epoch)
            connection.execute(update(_head).where(_head.c.first_seq < before_seq).values(first_seq=before_seq))
            seq, run_id = tables.events.c.seq, tables.events.c.run_id
            gone = and_(seq < before_seq, run_id.not_in(select(tables.runs.c.run_id).where(tables.runs.c.live)))
            last = connection.execute(select(seq).where(gone).order_by(seq).offset(rows - 1).limit(1)).scalar()
            within = gone if last is None else and_(gone, seq <= last)
            return connection.execute(tables.events.delete().where(within)).rowcount

        return self._transact(drop)

    def cut(self) -> None:
        """Break off what another thread waits for here, and refuse what comes: the term is over. May be called from any thread."""
        self._cut = True

    def identify(self, candidate: str, epoch: int) -> str:
        """The id of the fleet; `candidate` becomes it where it has none."""

        def named(connection: Connection) -> str:
            _fence(connection, epoch)
            return identity.identify(connection, candidate)

        return self._transact(named)

    def clean(self, cleaning: Cleaning, epoch: int) -> int:
        """Remove what is not kept any longer; answers the rows."""

        def remove(connection: Connection) -> int:
            _fence(connection, epoch)
            return dropping.clean(connection, cleaning)

        return self._transact(remove)

    def check_empty(self) -> None:
        """Raises NotEmpty where somebody leads or has led, StoreFailed."""
        from crossfleet.coordinator.ledger import importing  # it belongs to a restore alone

        self._transact(importing.check_empty)

    def fill(self, head: Head, portions: Iterable[Portion], expected: Mapping[str, int]) -> Head:
        """Fill an empty database with what another one held, in one transaction. Raises NotEmpty, StoreFull, StoreFailed."""
        from crossfleet.coordinator.ledger import importing

        return self._transact(lambda connection: importing.fill(connection, head, portions, expected))

    def close(self) -> None:
        """Let go of the connection and the file."""
        self._drop_connection()
        self._engine.dispose()

    def _write(self, connection: Connection, batch: Batch) -> bool:
        """Move the head and write the rows; False where the head is not where the batch follows: nothing may be committed."""
        moved = connection.execute(_MOVE, head_values(batch))
        if moved.rowcount == 1:
            for rows in batch.writes:
                self._statements.write(connection, rows)
        return moved.rowcount == 1

    def _enter_term(self, connection: Connection, cluster: str) -> int:
        """Called within a take-over; answers the id of the connection, 0 where it has none."""
        return 0

    def _with_head(
        self, work: Callable[[Connection], _T], *, deposing: Callable[[Connection], None] | None = None
    ) -> _T:
        """One transaction that may have to wait for the head row. `deposing` raises unless who holds it may be disturbed."""
        return self._transact(work)

    def _open(self) -> Connection:
        if self._connection is None and not self._cut:
            self._connection = self._engine.connect()
        if self._cut or self._connection is None:  # it may have been cut off while it connected
            raise StoreAway("this store was cut off: the term is over")
        return self._connection

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*self._failures):
                connection.invalidate()
                connection.close()

    def _transact(self, work: Callable[[Connection], _T]) -> _T:
        """One transaction. Raises what `work` raises, StoreFull and StoreFailed."""
        try:
            connection = self._open()
            with connection.begin():
                return work(connection)
        except self._failures as error:
            self._drop_connection()
            raise failure_of(error) from error


def head_values(batch: Batch) -> dict[str, int]:
    """Parameters of the statement that moves the head."""
    return {
        "epoch": batch.epoch,
        "seq": batch.seq,
        "attempt": batch.next_attempt,
        "task": batch.next_task,
        "allocation": batch.next_allocation,
    }


def _fence(connection: Connection, epoch: int) -> None:
    moved = connection.execute(
        text("UPDATE ledger_head SET epoch = :epoch WHERE id = 1 AND epoch = :epoch"), {"epoch": epoch}
    )
    if moved.rowcount != 1:
        raise Deposed(f"epoch {epoch} is over")


def _locked_head(connection: Connection) -> Head:
    return read_head(connection, locked=True)


def read_head(connection: Connection, *, locked: bool = False) -> Head:
    """The head row, as the transaction sees it; `locked`: as it is, and nobody else can move it before the end."""
    query = select(_head).where(_head.c.id == 1)
    row = connection.execute(query.with_for_update() if locked else query).one()
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
    head = read_head(connection, locked=True)
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
    groups, collections = tables.task_groups.c, tables.collections.c
    digests = select(groups.digest).where(groups.run_id.in_(live))
    found = connection.execute(select(tables.collections).where(collections.digest.in_(digests)))
    requests = select(runs.request_id, runs.run_id, runs.fingerprint, runs.live)
    return Stored(
        head,
        [dict(row) for row in connection.execute(select(tables.runs).where(runs.live)).mappings()],
        [(row[0], row[1], row[2], row[3]) for row in connection.execute(requests)],
        facts,
        {row.digest: row.cases for row in found},
        _all(connection, tables.workers),
        _all(connection, tables.semaphores),
        _all(connection, tables.schedules),
        _all(connection, tables.reservations),
        _all(connection, tables.quotas),
        _all(connection, tables.priority_classes),
        _all(connection, tables.proofs),
    )


def _all(connection: Connection, table: Table) -> list[Row]:
    return [dict(row) for row in connection.execute(select(table)).mappings()]
