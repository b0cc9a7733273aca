"""Queries about runs, groups, attempts, artifacts and workers."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, case, exists, func, or_, select, tuple_

from crossfleet.coordinator.core.outcomes import Cause, Ending, GroupState, RunState, RunVerdict, WorkerState
from crossfleet.coordinator.ledger import codec, tables
from crossfleet.coordinator.ledger.loading import departure
from crossfleet.coordinator.ledger.rows import ArtifactRow, AttemptRow, GroupRow, RunRow, WaitingArtifactRow, WorkerRow
from crossfleet.coordinator.ledger.sql import read_head
from crossfleet.coordinator.ledger.store import Head, Row

_RUN = [column for column in tables.runs.c if column.name not in {"fingerprint", "live", "traceparent"}]
# Limits of cases are told with their cases.
_GROUP = [column for column in tables.task_groups.c if column.name != "limits"]


def _run(row: RowMapping) -> RunRow:
    values = dict(row) | {"state": RunState(row["state"]), "verdict": RunVerdict(row["verdict"])}
    return RunRow(**values)


def run(connection: Connection, run_id: str) -> RunRow | None:
    """One run."""
    row = connection.execute(select(*_RUN).where(tables.runs.c.run_id == run_id)).mappings().first()
    return _run(row) if row else None


def run_of_request(connection: Connection, request_id: str) -> RunRow | None:
    """The run that a request id made."""
    row = connection.execute(select(*_RUN).where(tables.runs.c.request_id == request_id)).mappings().first()
    return _run(row) if row else None


def runs(
    connection: Connection, project: str, states: Sequence[int], limit: int, before: tuple[float, str] | None
) -> list[RunRow]:
    """A page, newest first."""
    table = tables.runs.c
    query = select(*_RUN).order_by(table.created_at.desc(), table.run_id.desc()).limit(limit)
    if project:
        query = query.where(table.project == project)
    if states:
        query = query.where(table.state.in_([int(state) for state in states]))
    if before:
        query = query.where(tuple_(table.created_at, table.run_id) < tuple_(*before))
    return [_run(row) for row in connection.execute(query).mappings()]


def groups(connection: Connection, run_id: str) -> list[GroupRow]:
    """Groups in the order of the matrix."""
    table = tables.task_groups.c
    query = select(*_GROUP).where(table.run_id == run_id).order_by(table.position)
    return [_group(row) for row in connection.execute(query).mappings()]


def _group(row: RowMapping) -> GroupRow:
    read = {
        "state": GroupState(row["state"]),
        "counts": json.loads(row["counts"]),
        "ending": Ending(row["ending"]),
        "alternatives": json.loads(row["alternatives"] or "[]"),
    }
    return GroupRow(**(dict(row) | read))


def cost(connection: Connection, run_id: str) -> float | None:
    """What the slots have cost that a run has given back, by the labels of their workers; None where no label said it."""
    table = tables.allocations.c
    ended = table.closed_at > 0
    hours = case((ended, table.closed_at - table.opened_at), else_=0.0) / 3600
    query = select(func.sum(hours * table.cost_per_hour + table.spent)).where(
        table.run_id == run_id, table.cost_per_hour > 0, or_(ended, table.spent > 0)
    )
    found = connection.execute(query).scalar()
    return None if found is None else float(found)


def attempts(connection: Connection, run_id: str, after: int, limit: int) -> list[AttemptRow]:
    """A page, by id."""
    table = tables.attempts
    query = (
        select(table)
        .where(table.c.run_id == run_id, table.c.attempt_id > after)
        .order_by(table.c.attempt_id)
        .limit(limit)
    )
    return [AttemptRow(**(dict(row) | {"cause": Cause(row["cause"])})) for row in connection.execute(query).mappings()]


def artifacts(connection: Connection, run_id: str, after: tuple[str, str], limit: int) -> list[ArtifactRow]:
    """A page, by target and name."""
    table = tables.artifacts
    place = tuple_(table.c.target, table.c.name)
    query = (
        select(table)
        .where(table.c.run_id == run_id, place > tuple_(*after))
        .order_by(table.c.target, table.c.name)
        .limit(limit)
    )
    return [ArtifactRow(**row) for row in connection.execute(query).mappings()]


def waiting_artifacts(connection: Connection, run_id: str, limit: int) -> list[WaitingArtifactRow]:
    """What is not an artifact yet, by target and name."""
    table, stored = tables.waiting_artifacts, tables.artifacts.c
    there = exists().where(stored.run_id == run_id, stored.target == table.c.target, stored.name == table.c.name)
    query = select(table).where(table.c.run_id == run_id, ~there).order_by(table.c.target, table.c.name).limit(limit)
    return [WaitingArtifactRow(**row) for row in connection.execute(query).mappings()]


def workers(connection: Connection) -> list[WorkerRow]:
    """All, by name."""
    table = tables.workers
    return [_worker(dict(row)) for row in connection.execute(select(table).order_by(table.c.worker_id)).mappings()]


def _worker(row: Row) -> WorkerRow:
    """A quarantined worker is stored as one that is being drained, beside its health."""
    health = codec.decode_health(row["health"])
    state = WorkerState(row["state"])
    if state is WorkerState.DRAINING and not row["drained"] and "" in health and health[""].out:
        state = WorkerState.QUARANTINED
    gone_at, has_left = departure(row)
    changed = {
        "state": state,
        "runners": tuple(json.loads(row["runners"])),
        "health": health,
        "overrides": codec.decode_overrides(row["overrides"]),
    }
    changed |= {"gone_at": gone_at, "has_left": has_left}
    return WorkerRow(**(dict(row) | changed))


def head(connection: Connection) -> Head:
    """The head row."""
    return read_head(connection)
