"""Queries about processes of slots: which cases one has executed, in order."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Select, Table, select, union_all

from crossfleet.coordinator.core.outcomes import Outcome
from crossfleet.coordinator.ledger import tables
from crossfleet.coordinator.ledger.case_queries import case_ids, verdict_row
from crossfleet.coordinator.ledger.rows import CaseRow, ProcessRow

_attempts = tables.attempts.c
_RESULT = (
    "case_index",
    "outcome",
    "seconds",
    "message",
    "attempt_id",
    "worker_id",
    "slot",
    "batch",
    "process",
    "position",
)


def failure_of(connection: Connection, case: CaseRow) -> CaseRow:
    """The execution of a case that says how it failed: of a flaky one, and of one whose rerun never came, the last failure."""
    attempts = [one.attempt_id for one in case.earlier if one.attempt_id]
    if not attempts or (case.outcome is not Outcome.FLAKY and case.attempt_id):
        return case
    columns = tables.earlier_results.c
    query = select(*(columns[name] for name in _RESULT)).where(
        columns.attempt_id == attempts[-1], columns.case_index == case.case_index
    )
    row = connection.execute(query).first()
    return case if row is None else verdict_row((case.target, case.position, case.case_index, case.case_id), row)


def process_of(connection: Connection, case: CaseRow) -> ProcessRow | None:
    """The process that executed a case; None where none did."""
    if not case.process:
        return None
    allocations, workers = tables.allocations.c, tables.workers.c
    attempt = connection.execute(
        select(_attempts.group_id, _attempts.allocation_id, allocations.slots, allocations.runner)
        .join(tables.allocations, allocations.allocation_id == _attempts.allocation_id)
        .where(_attempts.attempt_id == case.attempt_id)
    ).first()
    if attempt is None:
        return None
    worker = connection.execute(select(workers.description).where(workers.worker_id == case.worker_id)).scalar()
    return ProcessRow(
        attempt.group_id,
        attempt.allocation_id,
        case.worker_id,
        case.slot,
        json.loads(attempt.slots).index(case.slot),
        case.process,
        attempt.runner,
        worker or b"",
    )


def executions(connection: Connection, process: ProcessRow, until: int, after: int, limit: int) -> list[CaseRow]:
    """A page of what a process executed, by place: behind `after`, up to `until`. Failures that were run again count too."""
    groups = tables.task_groups.c
    group = connection.execute(
        select(groups.group_id, groups.target, groups.position, groups.digest).where(
            groups.group_id == process.group_id
        )
    ).one()
    both = union_all(*(_executed(table, process, until, after) for table in (tables.verdicts, tables.earlier_results)))
    rows = connection.execute(both.order_by("position").limit(limit)).all()
    ids = case_ids(connection, group.group_id, group.digest)
    return [verdict_row((group.target, group.position, row.case_index, ids[row.case_index]), row) for row in rows]


def _executed(table: Table, process: ProcessRow, until: int, after: int) -> Select[Any]:
    columns = table.c
    return (
        select(*(columns[name] for name in _RESULT))
        .join(tables.attempts, _attempts.attempt_id == columns.attempt_id)
        .where(
            columns.group_id == process.group_id,
            _attempts.allocation_id == process.allocation_id,
            columns.slot == process.slot,
            columns.process == process.number,
            columns.position > after,
            columns.position <= until,
        )
    )
