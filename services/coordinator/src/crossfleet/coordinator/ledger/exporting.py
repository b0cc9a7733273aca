"""Everything that the ledger holds, as of one commit, in portions."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, LargeBinary, Table, select, text

from crossfleet.coordinator.ledger import tables
from crossfleet.coordinator.ledger.sql import read_head
from crossfleet.coordinator.ledger.store import Head

_FETCHED = 100
_PORTION_BYTES = 1 << 20
_PORTION_ROWS = 2_000

# A restored ledger has a head of its own, and is another fleet.
_LEFT_OUT = (tables.ledger_head, tables.fleet)

Portion = tuple[str, list[str], list[Sequence[Any]]]


def export(engine: Engine) -> Generator[Head | Portion, None, None]:
    """First the head, then rows with their table and columns. One transaction sees one commit, and no writer waits for it."""
    with engine.connect() as connection:
        postgres = engine.dialect.name == "postgresql"
        if postgres:
            connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            if postgres:
                # It may take as long as who receives it needs.
                connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
                connection.execute(text("SET LOCAL statement_timeout = 0"))
            yield read_head(connection)
            for table in tables.metadata.sorted_tables:
                if table not in _LEFT_OUT:
                    yield from _portions(connection, table)


def _portions(connection: Connection, table: Table) -> Iterator[Portion]:
    name, columns = str(table.name), [str(column.name) for column in table.columns]
    binary = {at for at, column in enumerate(table.columns) if isinstance(column.type, LargeBinary)}
    taken: list[Sequence[Any]] = []
    size = 0
    with connection.execute(select(table).execution_options(yield_per=_FETCHED)) as found:
        for row in found:
            # SQLite keeps an empty default of a column of bytes as text.
            taken.append([b"" if value == "" and at in binary else value for at, value in enumerate(row)])
            size += sum(len(value) for value in row if isinstance(value, (bytes, str)))
            if size >= _PORTION_BYTES or len(taken) >= _PORTION_ROWS:
                yield name, columns, taken
                taken, size = [], 0
    if taken:
        yield name, columns, taken
