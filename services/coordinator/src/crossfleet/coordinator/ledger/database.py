"""Where a ledger lives: a file in the data folder, or a PostgreSQL database that several coordinators share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from crossfleet.coordinator.ledger.queries import Queries
from crossfleet.coordinator.ledger.sql import SqlStore

if TYPE_CHECKING:
    from crossfleet.coordinator.ledger.postgres import PostgresAddress

_FILE = "ledger.sqlite"


class Database(Protocol):
    """Opens stores and queries on one and the same database."""

    def __str__(self) -> str:
        """For people: without a password."""

    def store(self) -> SqlStore:
        """A store for who leads; makes or upgrades the schema. Raises SchemaUnsupported, StoreFull, StoreFailed."""

    def queries(self) -> Queries:
        """Queries, for whoever answers reads. The schema must exist."""


class SqliteFile:
    """The file of a coordinator that is alone with its data folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / _FILE

    def __str__(self) -> str:
        return str(self.path)

    def store(self) -> SqlStore:
        """Makes the file where there is none."""
        return SqlStore.sqlite(self.path)

    def queries(self) -> Queries:
        """Reads the file, without ever writing."""
        return Queries.sqlite(self.path)


class PostgresDatabase:
    """A database on a server. psycopg is imported with the first store or queries."""

    def __init__(self, address: PostgresAddress) -> None:
        self.address = address

    def __str__(self) -> str:
        return str(self.address)

    def store(self) -> SqlStore:
        """One connection."""
        return SqlStore.postgres(self.address)

    def queries(self) -> Queries:
        """Two connections, made when they are needed."""
        return Queries.postgres(self.address)


def database(folder: Path, url: str = "", password_file: str = "", hold_seconds: float = 8.0) -> Database:
    """The PostgreSQL database at `url`, or the file in `folder`. Raises StoreRefused for a wrong URL.

    `hold_seconds`: how long a client that has fallen silent may keep the ledger's head; below the leader's lease.
    """
    if not url:
        return SqliteFile(folder)
    from crossfleet.coordinator.ledger.postgres import PostgresAddress, parsed

    parsed(url)
    return PostgresDatabase(PostgresAddress(url, password_file, hold_seconds))
