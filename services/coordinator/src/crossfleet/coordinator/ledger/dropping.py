"""Removes rows of runs that are not kept any longer, a few at a time, inside the transaction of whoever calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Connection, Table, select, tuple_

from crossfleet.coordinator.ledger import tables
from crossfleet.coordinator.ledger.store import Cleaning

_OF_GROUP = (tables.verdicts, tables.earlier_results, tables.added_cases, tables.results)
_OF_RUN = (tables.attempts, tables.allocations, tables.artifacts, tables.events)
# A row of packed results is as heavy as many others.
_HEAVY = {tables.results.name: 20, tables.events.name: 4}


def clean(connection: Connection, cleaning: Cleaning) -> int:
    """Carries a cleaning out; answers the rows removed. What belongs to a live run stays."""
    removed = 0
    runs = tables.runs.c
    if cleaning.runs:
        gone = tables.runs.delete().where(runs.run_id.in_(list(cleaning.runs)), runs.live.is_(False))
        removed += connection.execute(gone).rowcount
    if cleaning.artifacts:
        removed += _by_key(connection, tables.artifacts, cleaning.artifacts)
    if cleaning.collections:
        used = select(tables.task_groups.c.digest)
        digest = tables.collections.c.digest
        unused = tables.collections.delete().where(digest.in_(cleaning.collections), digest.not_in(used))
        removed += connection.execute(unused).rowcount
    for run_id, group_id in cleaning.groups:
        if removed >= cleaning.rows:
            break
        removed += _group(connection, run_id, group_id, cleaning.rows - removed)
    return removed


def _group(connection: Connection, run_id: str, group_id: str, rows: int) -> int:
    """At most about `rows` of what belongs to a group, and the group itself once nothing else is left."""
    if connection.execute(select(tables.runs.c.run_id).where(tables.runs.c.run_id == run_id)).first():
        return 0
    removed = 0
    parts: list[tuple[Table, Column[Any], str]] = [(table, table.c.group_id, group_id) for table in _OF_GROUP]
    parts += [(table, table.c.run_id, run_id) for table in _OF_RUN]
    for table, column, value in parts:
        left = (rows - removed) // _HEAVY.get(table.name, 1)
        if left <= 0:
            return removed
        keys = list(table.primary_key)
        found = [tuple(row) for row in connection.execute(select(*keys).where(column == value).limit(left))]
        removed += _by_key(connection, table, found)
        if len(found) == left:
            return removed
    group = tables.task_groups.delete().where(tables.task_groups.c.group_id == group_id)
    return removed + connection.execute(group).rowcount


def _by_key(connection: Connection, table: Table, keys: Sequence[tuple[Any, ...]]) -> int:
    if keys:
        connection.execute(table.delete().where(tuple_(*table.primary_key).in_(keys)))
    return len(keys)
