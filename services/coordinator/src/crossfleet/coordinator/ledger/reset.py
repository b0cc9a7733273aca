"""Lets the ledger take the winner of any election again, after the election's cluster was replaced or restored."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from crossfleet.coordinator.ledger import schema
from crossfleet.coordinator.ledger.failures import failure_of
from crossfleet.coordinator.ledger.postgres import WRITER, PostgresAddress, writing
from crossfleet.coordinator.ledger.sql import read_head
from crossfleet.coordinator.ledger.store import Head, StoreRefused

_LIVING = text(
    "SELECT coalesce(host(a.client_addr), 'this machine') AS host, a.pid, a.backend_start"
    " FROM pg_stat_activity a, ledger_head h WHERE h.id = 1 AND a.datname = current_database()"
    " AND a.pid <> pg_backend_pid() AND (a.application_name = :writer OR a.pid = h.backend_pid)"
)
# The epoch rises too: a leader that still lives can commit nothing more.
_RESET = text(
    "UPDATE ledger_head SET epoch = epoch + 1, leader = '', election_cluster = '', election_revision = 0 WHERE id = 1"
)


@dataclass(frozen=True, slots=True)
class Found:
    """The head before it is reset, and the connection of a leader that lives: empty where none does."""

    head: Head
    living: str


class LeaderLives(Exception):
    """A leader is connected, and `force` was not given. Nothing was changed."""


def look(address: PostgresAddress) -> Found:
    """What a reset would meet. Raises StoreFailed."""
    with _ledger(address) as connection:
        return Found(read_head(connection), _living(connection))


def reset(address: PostgresAddress, *, force: bool) -> Head:
    """Reset; answers the head as it is then. Raises LeaderLives, StoreFailed (StoreLocked where a commit hangs)."""
    with _ledger(address) as connection:
        read_head(connection, locked=True)
        living = _living(connection)
        if living and not force:
            raise LeaderLives(living)
        connection.execute(_RESET)
        return read_head(connection)


@contextlib.contextmanager
def _ledger(address: PostgresAddress) -> Iterator[Connection]:
    engine = writing(address)
    try:
        with engine.begin() as connection:
            if schema.revision(connection) is None:
                raise StoreRefused("holds no ledger: no coordinator was ever started on it")
            yield connection
    except SQLAlchemyError as error:
        raise failure_of(error) from error
    finally:
        engine.dispose()


def _living(connection: Connection) -> str:
    rows = connection.execute(_LIVING, {"writer": WRITER}).all()
    return "; ".join(f"{row.host}, backend {row.pid}, since {row.backend_start:%Y-%m-%d %H:%M:%S %Z}" for row in rows)
