"""Queries about cases: the collection says which there are, verdict rows what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, select

from crossfleet.coordinator.core.duration_model import DurationModel
from crossfleet.coordinator.core.outcomes import Outcome
from crossfleet.coordinator.core.time_limits import time_limits as limits_of
from crossfleet.coordinator.ledger import codec, tables
from crossfleet.coordinator.ledger.history import known_durations
from crossfleet.coordinator.ledger.model_queries import with_models
from crossfleet.coordinator.ledger.rows import CaseRow, EarlierRow

_verdicts, _groups = tables.verdicts.c, tables.task_groups.c
_OF_GROUPS = (_groups.group_id, _groups.target, _groups.position, _groups.digest, _groups.limits)


def cases(
    connection: Connection,
    run_id: str,
    target: str,
    outcomes: Sequence[int],
    after: tuple[int, int] | None,
    limit: int,
    payloads: bool,
) -> list[CaseRow]:
    """A page, by position of the target and index of the case."""
    table = tables.task_groups.c
    query = select(*_OF_GROUPS).where(table.run_id == run_id)
    if target:
        query = query.where(table.target == target)
    if after:
        query = query.where(table.position >= after[0])
    wanted = {Outcome(outcome) for outcome in outcomes}
    found: list[CaseRow] = []
    for group in connection.execute(query.order_by(table.position)).all():
        first = after[1] + 1 if after and after[0] == group.position else 0
        found += _of_group(connection, group, first, limit - len(found), wanted)
        if len(found) >= limit:
            break
    return _with_payloads(connection, run_id, found) if payloads else found


def case(connection: Connection, run_id: str, target: str, case_id: str) -> CaseRow | None:
    """One case with its full result."""
    table = tables.task_groups.c
    query = select(*_OF_GROUPS).where(table.run_id == run_id)
    if target:
        query = query.where(table.target == target)
    group = connection.execute(query.order_by(table.position)).first()
    if group is None:
        return None
    ids = case_ids(connection, group.group_id, group.digest)
    if case_id not in ids:
        return None
    index = ids.index(case_id)
    found = _of_group(connection, group, index, 1, set())
    return _with_payloads(connection, run_id, found)[0]


def _of_group(connection: Connection, group: Any, first: int, limit: int, wanted: set[Outcome]) -> list[CaseRow]:
    ids = case_ids(connection, group.group_id, group.digest)
    limits = codec.decode_limits(group.limits)
    query = select(tables.verdicts).where(_verdicts.group_id == group.group_id, _verdicts.case_index >= first)
    if wanted and Outcome.PENDING not in wanted:
        query = query.where(_verdicts.outcome.in_([int(outcome) for outcome in wanted])).limit(limit)
        rows = connection.execute(query.order_by(_verdicts.case_index)).all()
        indices: Iterable[int] = [row.case_index for row in rows]
    else:
        if not wanted:
            query = query.where(_verdicts.case_index < first + limit)
        rows = connection.execute(query).all()
        indices = range(first, len(ids))
    by_index = {row.case_index: row for row in rows}
    found: list[CaseRow] = []
    for index in indices:
        if len(found) >= limit:
            break
        row = by_index.get(index)
        where = (group.target, group.position, index, ids[index])
        if row is None:
            one = CaseRow(*where, Outcome.PENDING)
        else:
            one = verdict_row(where, row)
        if index < len(limits) and limits[index]:
            one = replace(one, time_limit=limits[index])
        if not wanted or one.outcome in wanted:
            found.append(one)
    run_id = group.group_id.removesuffix(f"/{group.target}")
    return with_models(connection, run_id, list(_with_earlier(connection, group.group_id, found)))


def verdict_row(where: tuple[str, int, int, str], row: Any) -> CaseRow:
    """A case with its verdict, from target, its position, index and id, and a row of the table."""
    return CaseRow(
        *where,
        Outcome(row.outcome),
        row.seconds,
        row.message,
        row.worker_id,
        row.slot,
        row.attempt_id,
        row.batch,
        process=row.process,
        place=row.position,
    )


def case_ids(connection: Connection, group_id: str, digest: str) -> list[str]:
    """All case ids of a group, by index."""
    added = tables.added_cases.c
    more = select(added.case_id).where(added.group_id == group_id).order_by(added.case_index)
    return [*_collected_ids(connection, digest), *connection.execute(more).scalars()]


def _collected_ids(connection: Connection, digest: str) -> tuple[str, ...]:
    if not digest:
        return ()
    table = tables.collections.c
    body = connection.execute(select(table.cases).where(table.digest == digest)).scalar_one_or_none()
    return _decoded(body) if body is not None else ()


@lru_cache(maxsize=8)
def _decoded(body: bytes) -> tuple[str, ...]:
    # Pages of one collection come one after the other; decoding 100,000 ids takes tens of milliseconds.
    return codec.decode_case_ids(body)


def _with_earlier(connection: Connection, group_id: str, found: Sequence[CaseRow]) -> Iterator[CaseRow]:
    """The same with the failures after which cases were run again, the first one first."""
    table = tables.earlier_results.c
    query = select(tables.earlier_results).where(table.group_id == group_id)
    if found:
        query = query.where(table.case_index.between(found[0].case_index, found[-1].case_index))
    earlier: dict[int, list[EarlierRow]] = {}
    for row in connection.execute(query.order_by(table.case_index, table.attempt_id)) if found else ():
        shown = (Outcome(row.outcome), row.seconds, row.message, row.worker_id, row.slot, row.attempt_id, row.batch)
        earlier.setdefault(row.case_index, []).append(EarlierRow(*shown))
    for one in found:
        yield replace(one, earlier=tuple(earlier[one.case_index])) if one.case_index in earlier else one


def _with_payloads(connection: Connection, run_id: str, found: list[CaseRow]) -> list[CaseRow]:
    table = tables.results.c
    unpacked: dict[tuple[str, int], dict[int, bytes]] = {}

    def payload(group_id: str, batch: int, index: int) -> bytes:
        if not batch:
            return b""
        if (group_id, batch) not in unpacked:
            query = select(table.payloads).where(table.group_id == group_id, table.batch == batch)
            unpacked[group_id, batch] = codec.decode_payloads(connection.execute(query).scalar_one())
        return unpacked[group_id, batch].get(index, b"")

    whole = []
    for one in found:
        place = f"{run_id}/{one.target}"
        earlier = [replace(each, payload=payload(place, each.batch, one.case_index)) for each in one.earlier]
        whole.append(replace(one, payload=payload(place, one.batch, one.case_index), earlier=tuple(earlier)))
    return whole


def estimates(connection: Connection, key: str, kindred: Sequence[str], case_ids: Sequence[str]) -> tuple[float, ...]:
    """Medians from a history, else from kindred ones, scaled; 0.0 where a case is in none. Empty when no case is known."""
    known = known_durations(connection, key)
    found = [known[case_id].seconds if case_id in known else 0.0 for case_id in case_ids]
    others = [] if all(found) else [known_durations(connection, one) for one in kindred]
    if any(others):
        model = DurationModel(known, others)
        for index, case_id in enumerate(case_ids):
            if not found[index] and model.knows(case_id):
                found[index] = model.expect(case_id).median
    return tuple(found) if any(found) else ()


def time_limits(connection: Connection, key: str, kindred: Sequence[str], case_ids: Sequence[str]) -> tuple[float, ...]:
    """Time limits learnt from a history and kindred ones; 0.0 where a case is in none. Empty when no case is known."""
    known, *others = (known_durations(connection, one) for one in (key, *kindred))
    return limits_of(DurationModel(known, others), case_ids)
