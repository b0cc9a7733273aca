"""What earlier runs of a suite looked like: their cases, and what they took beside them."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from crossfleet.coordinator.core.outcomes import GroupState, Outcome, RunVerdict
from crossfleet.coordinator.core.overheads import PastGroup
from crossfleet.coordinator.ledger import tables
from crossfleet.coordinator.ledger.case_queries import case_ids
from crossfleet.coordinator.ledger.rows import PastCases, PastTarget

_groups, _runs = tables.task_groups.c, tables.runs.c
_CARRIED_OUT = (int(RunVerdict.PASSED), int(RunVerdict.FAILED))
_UNEXECUTED = (int(Outcome.CANCELLED), int(Outcome.PREEMPTED), int(Outcome.NOT_RUN))
_verdicts, _attempts, _allocations = tables.verdicts.c, tables.attempts.c, tables.allocations.c


def past_targets(connection: Connection, project: str, suite: str, runner: str, limit: int) -> list[PastTarget]:
    """Targets of earlier runs of a suite that were carried out to their end, the newest run first."""
    query = (
        select(_runs.run_id, _runs.spec, _runs.finished_at, _groups.group_id, _groups.target, _groups.digest)
        .join(tables.task_groups, _groups.run_id == _runs.run_id)
        .where(_runs.project == project, _runs.suite == suite, _runs.runner == runner)
        .where(_runs.verdict.in_(_CARRIED_OUT), _groups.state == int(GroupState.FINISHED), _groups.cases > 0)
        .order_by(_runs.created_at.desc(), _runs.run_id.desc(), _groups.position)
        .limit(limit)
    )
    return [PastTarget(*row) for row in connection.execute(query)]


def past_cases(connection: Connection, group_id: str, digest: str) -> PastCases:
    """The cases of an earlier target, and which of them were skipped."""
    ids = case_ids(connection, group_id, digest)
    query = select(_verdicts.case_index).where(
        _verdicts.group_id == group_id, _verdicts.outcome == int(Outcome.SKIPPED)
    )
    skipped = connection.execute(query).scalars()
    return PastCases(tuple(ids), frozenset(ids[index] for index in skipped if index < len(ids)))


def past_figures(connection: Connection, past: PastTarget) -> PastGroup | None:
    """What an earlier target took; None where not all of it was executed."""
    own = _verdicts.group_id == past.group_id
    left = connection.execute(select(func.count()).where(own, _verdicts.outcome.in_(_UNEXECUTED))).scalar_one()
    cases, seconds = connection.execute(
        select(func.count(), func.sum(_verdicts.seconds)).where(own, _verdicts.attempt_id > 0)
    ).one()
    slots = connection.execute(
        select(func.min(_attempts.assigned_at), func.max(_attempts.ended_at))
        .where(_attempts.run_id == past.run_id, _attempts.group_id == past.group_id)
        .group_by(_attempts.allocation_id, _attempts.slot)
    ).all()
    opened = connection.execute(
        select(func.min(_allocations.opened_at)).where(
            _allocations.run_id == past.run_id, _allocations.group_id == past.group_id
        )
    ).scalar_one()
    if left or not cases or not slots or opened is None:
        return None
    first = min(begun for begun, _ in slots)
    busy = sum(max(ended - begun, 0.0) for begun, ended in slots)
    return PastGroup(past.digest, cases, seconds, busy, max(first - opened, 0.0))
