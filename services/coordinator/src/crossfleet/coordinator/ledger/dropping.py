"""Removes rows of runs that are not kept any longer, a few at a time, inside the transaction of whoever calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Connection, Table, and_, select, tuple_

from crossfleet.coordinator.ledger import tables
from crossfleet.coordinator.ledger.store import Cleaning

_OF_GROUP = (tables.verdicts, tables.earlier_results, tables.added_cases, tables.results)
_OF_RUN = (
    tables.attempts,
    tables.allocations,
    tables.artifacts,
    tables.waiting_artifacts,
    tables.proofs,
    tables.events,
)
# A row of packed results is as heavy as many others.
_HEAVY = {tables.results.name: 20, tables.events.name: 4}

_AT_ONCE = 100


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
    for table, owner, value in parts:
        if removed >= rows:
            return removed
        left = max(1, (rows - removed) // _HEAVY.get(table.name, 1))
        gone = _first(connection, table, owner, value, left)
        removed += gone
        if gone == left:
            return removed
    group = tables.task_groups.delete().where(tables.task_groups.c.group_id == group_id)
    return removed + connection.execute(group).rowcount


def _first(connection: Connection, table: Table, owner: Column[Any], value: str, rows: int) -> int:
    """Removes the first `rows` of an owner's rows by key; answers how many there were.

    By the range up to the last of them: a list of thousands of keys takes PostgreSQL longer to plan than to carry out.
    """
    owned = owner == value
    rest = [column for column in table.primary_key if column is not owner]
    keys = connection.execute(select(*rest).where(owned).order_by(*rest).offset(rows - 1).limit(1)).first()
    within = owned if keys is None else and_(owned, tuple_(*rest) <= tuple_(*keys))
    return connection.execute(table.delete().where(within)).rowcount


def _by_key(connection: Connection, table: Table, keys: Sequence[tuple[Any, ...]]) -> int:
    for start in range(0, len(keys), _AT_ONCE):
        some = keys[start : start + _AT_ONCE]
        connection.execute(table.delete().where(tuple_(*table.primary_key).in_(some)))
    return len(keys)
