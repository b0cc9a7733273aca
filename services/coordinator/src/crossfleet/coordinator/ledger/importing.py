"""Fills an empty database with what another one held."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, func, insert, select, update

from crossfleet.coordinator.ledger import tables
from crossfleet.coordinator.ledger.exporting import Portion
from crossfleet.coordinator.ledger.sql import read_head
from crossfleet.coordinator.ledger.store import Head, StoreFailed

_NUMBERS, _TERMS = 1 << 32, 1_000_000
"""Numbers of a restored ledger begin so high that none is of those that were given out after the backup."""


class NotEmpty(StoreFailed):
    """The database holds runs, or has been led."""


def fill(connection: Connection, head: Head, portions: Iterable[Portion], expected: Mapping[str, int]) -> Head:
    """Inserts rows, and moves the head beyond all that the other one can have given out; answers it.

    Raises NotEmpty, and StoreFailed for a table or column that this version does not have, or where not all the rows
    that are `expected` of each table are there afterwards.
    """
    check_empty(connection)
    for name, columns, rows in portions:
        table = tables.metadata.tables.get(name)
        if table is None or not set(columns) <= set(table.c.keys()):
            raise StoreFailed(f"the backup has columns of {name} that this version does not know: install a later one")
        connection.execute(insert(table), [dict(zip(columns, row, strict=True)) for row in rows])
    for name, wanted in expected.items():
        there = connection.execute(select(func.count()).select_from(tables.metadata.tables[name])).scalar_one()
        if there != wanted:
            raise StoreFailed(f"{there} rows of {name} instead of {wanted}")
    moved = later(head)
    row = tables.ledger_head
    connection.execute(
        update(row)
        .where(row.c.id == 1)
        .values(
            epoch=moved.epoch,
            seq=moved.seq,
            next_attempt=moved.next_attempt,
            next_task=moved.next_task,
            next_allocation=moved.next_allocation,
            first_seq=moved.first_seq,
            leader="",
            election_cluster="",
            election_revision=0,
        )
    )
    return moved


def check_empty(connection: Connection) -> None:
    """Raises NotEmpty."""
    if read_head(connection).epoch or connection.execute(select(tables.runs.c.run_id).limit(1)).first():
        raise NotEmpty("the ledger there is not empty: restore into an empty database or a new data folder")


def later(head: Head) -> Head:
    """The head of the ledger's next life: an older leader is deposed, and no number is given out twice."""
    return Head(
        epoch=_beyond(head.epoch, _TERMS),
        seq=_beyond(head.seq, _NUMBERS),
        next_attempt=_beyond(head.next_attempt, _NUMBERS),
        next_task=_beyond(head.next_task, _NUMBERS),
        next_allocation=_beyond(head.next_allocation, _NUMBERS),
        first_seq=head.first_seq,
    )


def _beyond(number: int, step: int) -> int:
    return (number // step + 1) * step
