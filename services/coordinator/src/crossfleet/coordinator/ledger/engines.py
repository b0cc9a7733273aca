"""How SQLite is opened: with the durability and the transactions that the ledger relies on."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import StaticPool

# A reader never blocks the writer in WAL mode; this covers checkpoints and a second process that looks.
_BUSY_MILLISECONDS = 5_000


def sqlite_engine(path: str) -> Engine:
    """The writer's engine: WAL, full synchronous commits, transactions that take the write lock at once.

    A new file is its owner's alone, whatever the folder allows: specs of runs hold secrets. SQLite's files beside it follow.
    """
    with contextlib.suppress(OSError):  # SQLite tells it better
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=StaticPool,
        connect_args={"check_same_thread": False},
        hide_parameters=True,  # specs of runs hold secrets, errors are logged
    )

    def prepare(connection: sqlite3.Connection, record: Any) -> None:
        # The driver would send BEGIN late, and none at all before SAVEPOINT: we send it ourselves.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def sqlite_reader(path: str) -> Engine:
    """An engine that cannot write; each transaction sees one commit."""
    engine = create_engine(
        f"sqlite:///file:{path}?mode=ro&uri=true", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )

    def prepare(connection: sqlite3.Connection, record: Any) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
        connection.execute("PRAGMA query_only = ON")

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine
