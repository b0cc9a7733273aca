"""What retention asks: which runs are old, what has lost its run, what kept runs refer to."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from crossfleet.coordinator.ledger import tables

_runs = tables.runs.c
_artifacts = tables.artifacts.c


def old_runs(connection: Connection, finished_before: float, most: int, limit: int) -> dict[str, str]:
    """Request ids by run id, the oldest first: finished before a time, or beyond the newest `most` (0: no limit)."""
    old: ColumnElement[bool] = _runs.finished_at < finished_before
    if most:
        newest = select(_runs.created_at).order_by(_runs.created_at.desc()).offset(most).limit(1)
        edge = connection.execute(newest).scalar_one_or_none()
        if edge is not None:
            old = or_(old, _runs.created_at <= edge)
    query = select(_runs.run_id, _runs.request_id).where(_runs.live.is_(False), _runs.finished_at > 0, old)
    return {row[0]: row[1] for row in connection.execute(query.order_by(_runs.created_at).limit(limit))}


def lost_groups(connection: Connection, limit: int) -> list[tuple[str, str]]:
    """Run id and group id of groups whose run is not kept any longer."""
    groups = tables.task_groups.c
    query = select(groups.run_id, groups.group_id).where(groups.run_id.not_in(select(_runs.run_id))).limit(limit)
    return [(row[0], row[1]) for row in connection.execute(query)]


def lost_collections(connection: Connection, limit: int) -> list[str]:
    """Digests of collections that no group has any longer."""
    digest = tables.collections.c.digest
    query = select(digest).where(digest.not_in(select(tables.task_groups.c.digest))).limit(limit)
    return list(connection.execute(query).scalars())


def old_artifacts(connection: Connection, before: float, limit: int) -> list[tuple[str, str, str]]:
    """Keys of artifacts of runs that are over, attached before a time."""
    query = select(_artifacts.run_id, _artifacts.target, _artifacts.name).join(
        tables.runs, and_(_runs.run_id == _artifacts.run_id, _runs.live.is_(False))
    )
    return [
        (row[0], row[1], row[2]) for row in connection.execute(query.where(_artifacts.created_at < before).limit(limit))
    ]


def counted(connection: Connection, runs: list[str]) -> tuple[int, int]:
    """Cases and artifacts of some runs."""
    groups = tables.task_groups.c
    cases = artifacts = 0
    for start in range(0, len(runs), 500):
        some = runs[start : start + 500]
        cases += connection.execute(
            select(func.coalesce(func.sum(groups.cases), 0)).where(groups.run_id.in_(some))
        ).scalar_one()
        artifacts += connection.execute(select(func.count()).where(_artifacts.run_id.in_(some))).scalar_one()
    return cases, artifacts


def kept_runs(connection: Connection, finished_since: float) -> set[str]:
    """Runs that are open, or were finished at or after a time."""
    return set(connection.execute(select(_runs.run_id).where(_since(finished_since))).scalars())


def kept_specs(connection: Connection, finished_since: float, after: str, limit: int) -> list[tuple[str, bytes]]:
    """A page of what such runs were submitted with, by run id."""
    query = select(_runs.run_id, _runs.spec).where(_since(finished_since), _runs.run_id > after)
    return [(row[0], row[1]) for row in connection.execute(query.order_by(_runs.run_id).limit(limit))]


def artifact_digests(connection: Connection, after: str, limit: int) -> list[str]:
    """A page of the digests that artifacts have, in order."""
    query = select(_artifacts.digest).distinct().where(_artifacts.digest > after)
    return list(connection.execute(query.order_by(_artifacts.digest).limit(limit)).scalars())


def _since(finished_since: float) -> ColumnElement[bool]:
    return or_(_runs.live.is_(True), _runs.finished_at == 0, _runs.finished_at >= finished_since)
