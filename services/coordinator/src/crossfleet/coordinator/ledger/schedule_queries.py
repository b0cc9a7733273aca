"""Queries about schedules."""

from __future__ import annotations

from sqlalchemy import Connection, select

from crossfleet.coordinator.core.schedule import Schedule
from crossfleet.coordinator.ledger import tables
from crossfleet.coordinator.ledger.loading import schedule_of

_KEPT = [column for column in tables.schedules.c if column.name != "spec"]


def schedules(connection: Connection, project: str) -> list[Schedule]:
    """All, or those of one project, by name."""
    table = tables.schedules.c
    query = select(*_KEPT).order_by(table.name)
    if project:
        query = query.where(table.project == project)
    return [schedule_of(dict(row)) for row in connection.execute(query).mappings()]


def schedule(connection: Connection, name: str) -> tuple[Schedule, bytes] | None:
    """One, with what it submits."""
    row = connection.execute(select(tables.schedules).where(tables.schedules.c.name == name)).mappings().first()
    return (schedule_of(dict(row)), row["spec"]) if row else None


def schedule_specs(connection: Connection) -> list[bytes]:
    """What all of them submit."""
    return list(connection.execute(select(tables.schedules.c.spec)).scalars())
