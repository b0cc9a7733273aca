"""The statements that write rows to PostgreSQL: one a table, whose rows travel as one JSON text.

The server takes 64 rows so in a third of the time of one statement a row, or of an array a column, and this process spends a
tenth (measured). Rows with bytes are few: they travel one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Dialect, LargeBinary

from crossfleet.coordinator.ledger import tables
from crossfleet.coordinator.ledger.statements import Statements
from crossfleet.coordinator.ledger.store import Mode, Row, Write

# PostgreSQL's texts hold any character but this one.
_NUL, _INSTEAD = "\0", "\ufffd"
_NUL_IN_JSON = b"\\u0000"
_encoder = msgspec.json.Encoder()


class PostgresStatements(Statements):
    """Writes rows through a connection of psycopg, which may be in pipeline mode: nothing is waited for."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__(dialect)
        self._as_json: dict[tuple[str, Mode, frozenset[str]], str] = {}

    def send(self, driver: Any, write: Write) -> None:
        """All rows of one table. Raises psycopg.Error, here or when the pipeline is left."""
        if not write.rows:
            return
        row = write.rows[0]
        columns = tables.metadata.tables[write.table].c
        if any(isinstance(columns[name].type, LargeBinary) for name in row):
            prepared = self.prepared(write)
            rows = [_without_nul(one) for one in write.rows]
            driver.cursor().executemany(prepared.sql, prepared.parameters(rows))
            return
        key = (write.table, write.mode, frozenset(row))
        statement = self._as_json.get(key)
        if statement is None:
            statement = self._as_json[key] = _statement(write.table, write.mode, list(row))
        driver.execute(statement, [_json(_last_of_each(write))])


def _statement(table: str, mode: Mode, names: Sequence[str]) -> str:
    keys = [column.name for column in tables.metadata.tables[table].primary_key]
    rows = f"json_populate_recordset(NULL::{table}, %s)"
    changed = [name for name in names if name not in keys]
    same = " AND ".join(f"{table}.{name} = given.{name}" for name in keys)
    if mode is Mode.DELETE:
        return f"DELETE FROM {table} USING {rows} AS given WHERE {same}"  # noqa: S608 - names of our own tables
    if mode is Mode.UPDATE:
        new = ", ".join(f"{name} = given.{name}" for name in changed)
        return f"UPDATE {table} SET {new} FROM {rows} AS given WHERE {same}"  # noqa: S608 - the same
    listed = ", ".join(names)
    statement = f"INSERT INTO {table} ({listed}) SELECT {listed} FROM {rows}"  # noqa: S608 - the same
    if mode is Mode.IGNORE:
        statement += f" ON CONFLICT ({', '.join(keys)}) DO NOTHING"
    elif mode is Mode.UPSERT:
        new = ", ".join(f"{name} = excluded.{name}" for name in changed)
        statement += f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {new}"
    return statement


def _last_of_each(write: Write) -> Sequence[Row]:
    """One statement may not change a row twice: the last word on it counts, as if rows were written one by one."""
    if write.mode in (Mode.INSERT, Mode.IGNORE) or len(write.rows) == 1:
        return write.rows
    keys = [column.name for column in tables.metadata.tables[write.table].primary_key]
    return list({tuple([row[name] for name in keys]): row for row in write.rows}.values())


def _json(rows: Sequence[Row]) -> str:
    body = _encoder.encode(rows)
    if _NUL_IN_JSON in body:
        body = _encoder.encode([_without_nul(row) for row in rows])
    return body.decode()


def _without_nul(row: Row) -> Row:
    return {name: value.replace(_NUL, _INSTEAD) if isinstance(value, str) else value for name, value in row.items()}
