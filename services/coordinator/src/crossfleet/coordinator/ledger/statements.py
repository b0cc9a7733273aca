"""The statements that write rows: one each for a table, a mode and a set of columns, made once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Executable, Table, bindparam, insert, update
from sqlalchemy.dialects import sqlite

from crossfleet.coordinator.ledger import tables
from crossfleet.coordinator.ledger.store import Mode, Row, Write


class Statements:
    """Writes rows with as few calls as the driver allows."""

    def __init__(self, dialect: Dialect) -> None:
        """For SQLite or PostgreSQL: both know ON CONFLICT."""
        self._insert_or: Any = sqlite.insert
        if dialect.name == "postgresql":
            from sqlalchemy.dialects import postgresql  # a tenth of a cold start, for nothing on SQLite

            self._insert_or = postgresql.insert
        self._made: dict[tuple[str, Mode, frozenset[str]], Executable] = {}

    def write(self, connection: Connection, write: Write) -> None:
        """All rows of one table. Raises SQLAlchemyError."""
        if not write.rows:
            return
        table = tables.metadata.tables[write.table]
        rows: Sequence[Any] = write.rows
        key = (write.table, write.mode, frozenset(rows[0]))
        statement = self._made.get(key)
        if statement is None:
            statement = self._made[key] = self._make(table, write.mode, rows[0])
        if write.mode is Mode.UPDATE:
            keys = [column.name for column in table.primary_key]
            rows = [{f"key_{name}" if name in keys else name: value for name, value in row.items()} for row in rows]
        connection.execute(statement, list(rows))

    def _make(self, table: Table, mode: Mode, row: Row) -> Executable:
        keys = [column.name for column in table.primary_key]
        if mode is Mode.INSERT:
            return insert(table)
        if mode is Mode.UPDATE:
            statement = update(table).values({name: bindparam(name) for name in row if name not in keys})
            for name in keys:
                statement = statement.where(table.c[name] == bindparam(f"key_{name}"))
            return statement
        written = self._insert_or(table)
        if mode is Mode.IGNORE:
            ignoring: Executable = written.on_conflict_do_nothing(index_elements=keys)
            return ignoring
        changed = {name: written.excluded[name] for name in row if name not in keys}
        replacing: Executable = written.on_conflict_do_update(index_elements=keys, set_=changed)
        return replacing
