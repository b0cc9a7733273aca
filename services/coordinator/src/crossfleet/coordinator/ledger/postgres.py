"""How PostgreSQL is opened: with the durability, the bounds and the transactions that the ledger relies on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL, Dialect, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import NullPool, QueuePool

from crossfleet.coordinator.ledger.store import StoreRefused
from crossfleet.foundation.auth import read_secret
from crossfleet.foundation.errors.base import CrossfleetError

OLDEST = 14
"""The oldest major version that is supported."""

WRITER = "crossfleet ledger"
READER = "crossfleet queries"
"""Names of connections, as pg_stat_activity shows them."""

_CONNECT_SECONDS = 5
_WRITE_SECONDS = 30
_READ_SECONDS = 60
_DRIVERS = ("postgresql", "postgres", "postgresql+psycopg")


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """Where the database is. `hold_seconds`: how long a silent client may keep a transaction open; below the leader's lease."""

    url: str
    password_file: str = ""
    hold_seconds: float = 8.0

    def __str__(self) -> str:
        """For people: without a password."""
        return parsed(self.url).render_as_string(hide_password=True)


def parsed(url: str) -> URL:
    """The URL with its driver. Raises StoreRefused for what is no URL of a PostgreSQL database, without showing it."""
    try:
        found = make_url(url)
    except ArgumentError:
        raise StoreRefused("not a URL: postgresql+psycopg://USER@HOST/DATABASE") from None
    if found.drivername not in _DRIVERS:
        raise StoreRefused(
            f"{found.drivername}: is not served; a PostgreSQL is: postgresql+psycopg://USER@HOST/DATABASE"
        )
    if not found.database:
        raise StoreRefused("names no database: postgresql+psycopg://USER@HOST/DATABASE")
    if "password" in found.query:
        raise StoreRefused(
            "has its password as a parameter, which would be shown: name a file by database_password_file"
        )
    return found.set(drivername="postgresql+psycopg")


def writing(address: PostgresAddress) -> Engine:
    """An engine without a pool: who writes keeps its one connection. Raises StoreRefused."""
    hold = round(address.hold_seconds * 1000)
    return _engine(
        address,
        {
            "application_name": WRITER,
            "synchronous_commit": "on",
            "idle_in_transaction_session_timeout": str(hold),
            "lock_timeout": str(hold),
            "statement_timeout": str(_WRITE_SECONDS * 1000),
            "default_transaction_isolation": "read committed",
        },
        poolclass=NullPool,
    )


def reading(address: PostgresAddress) -> Engine:
    """An engine that cannot write, with one connection; each transaction sees one commit. Raises StoreRefused."""
    return _engine(
        address,
        {
            "application_name": READER,
            "idle_in_transaction_session_timeout": str(_READ_SECONDS * 1000),
            "statement_timeout": str(_READ_SECONDS * 1000),
            "default_transaction_isolation": "repeatable read",
            "default_transaction_read_only": "on",
        },
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=0,
    )


def _engine(address: PostgresAddress, session: Mapping[str, str], **more: Any) -> Engine:
    url = parsed(address.url)
    try:
        engine = create_engine(
            url, connect_args=_bounds(url, address), use_native_hstore=False, hide_parameters=True, **more
        )
    except (ImportError, NoSuchModuleError):
        raise StoreRefused("needs psycopg: pip install 'crossfleet-coordinator[postgres]'") from None
    # A dead server's other half: backends whose client is gone do not keep what they hold.
    options = {
        **session,
        "tcp_keepalives_idle": "5",
        "tcp_keepalives_interval": "2",
        "tcp_keepalives_count": "3",
        "client_connection_check_interval": "2000",
    }
    settings = ", ".join("set_config(%s, %s, false)" for _ in options)
    values = [word for pair in options.items() for word in pair]

    def prepare(connection: Any, record: Any) -> None:
        connection.autocommit = True
        check_version(connection.info.server_version, str(connection.execute("SELECT version()").fetchone()[0]))
        connection.execute(f"SELECT {settings}", values)
        connection.autocommit = False

    def give_password(dialect: Dialect, record: Any, arguments: list[Any], named: dict[str, Any]) -> None:
        # Read for each connection: passwords are changed while a coordinator runs.
        if address.password_file:
            named["password"] = read_password(address.password_file)

    # It warns of each pipeline that breaks; the store tells of the error.
    logging.getLogger("psycopg").setLevel(logging.ERROR)
    event.listen(engine, "connect", prepare, insert=True)
    event.listen(engine, "do_connect", give_password)
    return engine


def _bounds(url: URL, address: PostgresAddress) -> dict[str, Any]:
    """How long the client waits for a server that says nothing. What the URL sets itself stays."""
    bounds: dict[str, Any] = {
        "connect_timeout": _CONNECT_SECONDS,
        "tcp_user_timeout": round(address.hold_seconds * 1000),
        "keepalives": 1,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
    }
    return {name: value for name, value in bounds.items() if name not in url.query}


def check_version(number: int, text: str) -> None:
    """Raises StoreRefused for a server that speaks the protocol and is no PostgreSQL, and for one that is too old."""
    if not text.startswith("PostgreSQL "):
        raise StoreRefused(f"the server is no PostgreSQL but {text.partition(',')[0]!r}")
    if number < OLDEST * 10_000:
        raise StoreRefused(f"the server is {text.partition(',')[0]}; PostgreSQL {OLDEST} or later is needed")


def read_password(path: str) -> str:
    """What a file holds that nobody else may read. Raises StoreRefused."""
    try:
        return read_secret(path, "password")
    except CrossfleetError as error:
        raise StoreRefused(str(error)) from None
