"""PostgresStore: the store on PostgreSQL, where other connections may hold what this one needs."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.exc import DBAPIError

from crossfleet.coordinator.ledger import postgres
from crossfleet.coordinator.ledger.postgres_statements import PostgresStatements
from crossfleet.coordinator.ledger.sql import SqlStore, head_values
from crossfleet.coordinator.ledger.store import Batch, StoreAway, StoreLocked

_T = TypeVar("_T")

# A commit takes milliseconds: who keeps the head for longer than this is frozen, or cut off.
_LOCK_SECONDS = 1
TRIES = 10
# Any number that nothing else uses in this database.
_ALONE_KEY = 0x63726F7373

# Fails unless it has moved the head: what follows in the pipeline is then not carried out, and holds nothing up.
_MOVE = (
    "WITH moved AS (UPDATE ledger_head SET seq = %(seq)s, next_attempt = %(attempt)s, next_task = %(task)s,"
    " next_allocation = %(allocation)s WHERE id = 1 AND epoch = %(epoch)s AND seq = %(seq)s - 1 RETURNING 1)"
    " SELECT 1 / count(*) FROM moved"
)
_DIVISION_BY_ZERO = "22012"
# Holders of the head row, less those who wait themselves: for a lock, or for a standby to have what they committed.
_HOLDERS = text(
    "SELECT a.pid FROM pg_stat_activity a WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()"
    " AND a.wait_event_type IS DISTINCT FROM 'Lock' AND a.wait_event IS DISTINCT FROM 'SyncRep'"
    " AND (a.pid IN :pids OR (:anybody AND (a.application_name = :writer"
    "      OR a.pid = (SELECT backend_pid FROM ledger_head WHERE id = 1))))"
    " AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND l.granted AND l.relation = 'ledger_head'::regclass"
    "             AND l.mode IN ('RowExclusiveLock', 'RowShareLock'))"
).bindparams(bindparam("pids", expanding=True))


class PostgresStore(SqlStore):
    """Waits a second for the head row; then it ends the backend that holds it: the deposed leader's when it takes over,
    else those of its own earlier connections alone."""

    def __init__(self, address: postgres.PostgresAddress) -> None:
        """Create or check the schema. Raises SchemaUnsupported, StoreFailed."""
        self._left: set[int] = set()
        self._pid = 0
        self._alone = False
        engine = postgres.writing(address)
        self._sent = PostgresStatements(engine.dialect)
        super().__init__(engine)

    def _write(self, connection: Connection, batch: Batch) -> bool:
        """All statements leave before the first answer is read: two round trips a commit."""
        driver = _driver(connection)
        try:
            with driver.pipeline():
                driver.execute(_MOVE, head_values(batch))
                for write in batch.writes:
                    self._sent.send(driver, write)
        except self._failures as error:
            if getattr(error, "sqlstate", "") != _DIVISION_BY_ZERO:
                raise
            driver.rollback()
            return False
        return True

    def _open(self) -> Connection:
        known = self._connection
        connection = super()._open()
        if connection is not known:
            self._pid = _driver(connection).info.backend_pid
            if self._alone:
                with connection.begin():
                    connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _ALONE_KEY})
        return connection

    def _drop_connection(self) -> None:
        if self._pid:
            self._left.add(self._pid)
        self._pid = 0
        super()._drop_connection()

    def cut(self) -> None:
        """Shuts the socket: the driver finds its connection closed."""
        super().cut()
        connection = self._connection
        if connection is None:
            return
        with suppress(Exception):  # the thread that owns the connection may be closing it
            with socket.socket(fileno=os.dup(_driver(connection).fileno())) as end:
                end.shutdown(socket.SHUT_RDWR)

    def _enter_term(self, connection: Connection, cluster: str) -> int:
        """Without an election there is no other sign of life of a leader than the lock that its connection holds."""
        if not cluster:
            try:
                connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _ALONE_KEY})
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", "") != "55P03":
                    raise
                raise _LedAlone(
                    "another coordinator leads on this database, without an election: give both etcd.endpoints, or stop it"
                ) from error
        self._alone = not cluster
        return self._pid

    def _with_head(
        self, work: Callable[[Connection], _T], *, deposing: Callable[[Connection], None] | None = None
    ) -> _T:
        def bounded(connection: Connection) -> _T:
            connection.execute(text(f"SET LOCAL lock_timeout = {_LOCK_SECONDS * 1000}"))
            return work(connection)

        hint = ""
        for left in reversed(range(TRIES)):
            try:
                done = self._transact(bounded)
            except _LedAlone:
                # Who leads there lives: what it holds of the head is its next commit. It may be going.
                if not left:
                    raise
                continue
            except StoreLocked as held:
                if not left:
                    raise StoreLocked(f"{held}{hint}") from held
            else:
                self._left.clear()
                return done
            try:
                self._transact(lambda connection: self._end_holders(connection, deposing))
            except StoreAway:
                continue
            except _NotPermitted as refused:
                hint = f". Its backend {refused} may not be ended: GRANT pg_signal_backend TO this coordinator's role"
        raise AssertionError("the last try has answered or raised")

    def _end_holders(self, connection: Connection, deposing: Callable[[Connection], None] | None) -> None:
        if deposing is not None:
            deposing(connection)
        found = {"pids": [*self._left, 0], "anybody": deposing is not None, "writer": postgres.WRITER}
        for pid in connection.execute(_HOLDERS, found).scalars().all():
            try:
                connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", "") != "42501":
                    raise
                raise _NotPermitted(pid) from error


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


class _LedAlone(StoreLocked):
    """Another coordinator without an election has the database."""


class _NotPermitted(Exception):
    """The backend of this pid belongs to a role over which ours has no right."""
