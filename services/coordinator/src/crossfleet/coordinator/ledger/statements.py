"""The statements that write rows: one each for a table, a mode and a set of columns, made once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ClauseElement, Connection, Dialect, Table, bindparam, delete, insert, update
from sqlalchemy.dialects import sqlite

from crossfleet.coordinator.ledger import tables
from crossfleet.coordinator.ledger.store import Mode, Row, Write


class Prepared:
    """A statement as the driver takes it, and how a row becomes its parameters."""

    def __init__(self, statement: ClauseElement, dialect: Dialect, row: Row, renamed: Mapping[str, str]) -> None:
        keys = set(renamed.values())
        compiled: Any = statement.compile(dialect=dialect, column_keys=[name for name in row if name not in keys])
        self.sql = str(compiled)
        self._names = [renamed.get(name, name) for name in compiled.positiontup or ()]
        self._renamed = renamed

    def parameters(self, rows: Sequence[Row]) -> list[Any]:
        if self._names:
            names = self._names
            return [tuple([row[name] for name in names]) for row in rows]
        back = {name: key for key, name in self._renamed.items()}
        return [{back.get(name, name): value for name, value in row.items()} for row in rows]


class Statements:
    """Writes rows with as few calls as the driver allows. SQLAlchemy compiles; its own execution of many small batches
    costs as much as all the rest of a commit, so the driver is given its own form."""

    def __init__(self, dialect: Dialect) -> None:
        """For SQLite or PostgreSQL: both know ON CONFLICT."""
        self._dialect = dialect
        self._insert_or: Any = sqlite.insert
        if dialect.name == "postgresql":
            from sqlalchemy.dialects import postgresql  # a tenth of a cold start, for nothing on SQLite

            self._insert_or = postgresql.insert
        self._made: dict[tuple[str, Mode, frozenset[str]], Prepared] = {}

    def write(self, connection: Connection, write: Write) -> None:
        """All rows of one table. Raises SQLAlchemyError."""
        if write.rows:
            prepared = self.prepared(write)
            connection.exec_driver_sql(prepared.sql, prepared.parameters(write.rows))

    def prepared(self, write: Write) -> Prepared:
        """The statement for rows, at least one."""
        row = write.rows[0]
        key = (write.table, write.mode, frozenset(row))
        prepared = self._made.get(key)
        if prepared is None:
            table = tables.metadata.tables[write.table]
            renamed = {f"key_{column.name}": column.name for column in table.primary_key}
            made = self._make(table, write.mode, row)
            renamed = renamed if write.mode in (Mode.UPDATE, Mode.DELETE) else {}
            prepared = self._made[key] = Prepared(made, self._dialect, row, renamed)
        return prepared

    def _make(self, table: Table, mode: Mode, row: Row) -> ClauseElement:
        keys = [column.name for column in table.primary_key]
        if mode is Mode.INSERT:
            return insert(table)
        same = [table.c[name] == bindparam(f"key_{name}") for name in keys]
        if mode is Mode.UPDATE:
            return update(table).values({name: bindparam(name) for name in row if name not in keys}).where(*same)
        if mode is Mode.DELETE:
            return delete(table).where(*same)
        written = self._insert_or(table)
        if mode is Mode.IGNORE:
            ignoring: ClauseElement = written.on_conflict_do_nothing(index_elements=keys)
            return ignoring
        changed = {name: written.excluded[name] for name in row if name not in keys}
        replacing: ClauseElement = written.on_conflict_do_update(index_elements=keys, set_=changed)
        return replacing
