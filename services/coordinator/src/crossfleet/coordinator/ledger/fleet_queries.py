"""Queries about what workers hold and what is open, for those who have no live state."""

from __future__ import annotations

import json

from sqlalchemy import Connection, func, select

from crossfleet.coordinator.core.outcomes import GroupState, Outcome, RunState
from crossfleet.coordinator.ledger import tables
from crossfleet.coordinator.ledger.rows import HeldRow, OpenWork

_LIVE = select(tables.runs.c.run_id).where(tables.runs.c.live)


def held(connection: Connection) -> list[HeldRow]:
    """Allocations that are open, by worker and id."""
    table, groups, attempts = tables.allocations.c, tables.task_groups.c, tables.attempts.c
    running = (
        select(attempts.allocation_id, func.count())
        .where(attempts.run_id.in_(_LIVE), attempts.ended_at == 0)
        .group_by(attempts.allocation_id)
    )
    live = {row[0]: row[1] for row in connection.execute(running)}
    named = (table.allocation_id, table.group_id, table.run_id, groups.target, table.worker_id)
    query = (
        select(*named, table.slots, table.given_back)
        .join(tables.task_groups, groups.group_id == table.group_id)
        .where(table.run_id.in_(_LIVE), table.closed_at == 0)
        .order_by(table.worker_id, table.allocation_id)
    )
    return [
        HeldRow(
            row.allocation_id,
            row.group_id,
            row.run_id,
            row.target,
            row.worker_id,
            _without(json.loads(row.slots), json.loads(row.given_back)),
            live.get(row.allocation_id, 0),
        )
        for row in connection.execute(query)
    ]


def _without(slots: list[int], given_back: list[int]) -> tuple[int, ...]:
    gone = frozenset(given_back)
    return tuple(one for one in slots if one not in gone)


def open_work(connection: Connection) -> OpenWork:
    """How much is not finished."""
    runs, groups = tables.runs.c, tables.task_groups.c
    unfinished = select(runs.run_id).where(runs.live, runs.state != int(RunState.FINISHED))
    counts = select(groups.counts).where(groups.run_id.in_(unfinished), groups.state < int(GroupState.FINISHED))
    return OpenWork(
        runs=connection.execute(select(func.count()).select_from(unfinished.subquery())).scalar_one(),
        cases=sum(json.loads(one)[Outcome.PENDING] for one in connection.execute(counts).scalars()),
    )
