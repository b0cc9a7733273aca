"""Histories of cases, from the verdicts of the last runs: which cases first, then all rows of the page's cases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from sqlalchemy import Connection, Table, func, select

from crossfleet.coordinator.core.case_history import Execution, History, summarise
from crossfleet.coordinator.core.outcomes import BAD, Outcome
from crossfleet.coordinator.ledger import tables
from crossfleet.coordinator.ledger.history_places import HistoryFilter, Key, Places, chunks, find_places

# Cases of which all executions are read to say whether they are flaky; the most suspicious ones.
_MOST_SUSPECTS = 1_000
_SHOWN = ("group_id", "case_index", "attempt_id", "outcome", "seconds", "message", "worker_id", "slot")

Score = dict[Key, dict[str, float]]
"""By target (a key without a case), then by case id: the larger, the earlier."""


class HistoryOrder(IntEnum):
    """Which cases, and in which order; numbers equal crossfleet.api.coordinator.v1.CaseHistoryOrder."""

    BY_ID = 0
    FLAKY = 1
    FAILED = 2
    SLOWEST = 3


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Cases with their histories. `more`: others follow. `runs` is how many were looked at."""

    cases: list[tuple[Key, History]]
    more: bool
    runs: int


def case_history(
    connection: Connection,
    wanted: HistoryFilter,
    order: HistoryOrder,
    skip: int,
    limit: int,
    content: Callable[[bytes, str], str],
) -> HistoryPage:
    """A page of at most `limit` cases, after the first `skip`. See find_places for `content`."""
    places = find_places(connection, wanted, content)
    keys = _ranked(connection, places, wanted, order)
    if order is HistoryOrder.FLAKY:
        found = _histories(connection, places, wanted.worker_id, keys[:_MOST_SUSPECTS])
        flaky = [(key, history) for key, history in found if history.flaky]
        flaky.sort(key=lambda one: (-(one[1].runs.flaky + one[1].contradictions), one[0]))
        return HistoryPage(flaky[skip : skip + limit], len(flaky) > skip + limit, places.runs)
    page = _histories(connection, places, wanted.worker_id, keys[skip : skip + limit])
    return HistoryPage(list(page), len(keys) > skip + limit, places.runs)


def _ranked(connection: Connection, places: Places, wanted: HistoryFilter, order: HistoryOrder) -> list[Key]:
    if order is HistoryOrder.BY_ID:
        return places.keys()
    if order is HistoryOrder.SLOWEST:
        score = _slowness(connection, places, wanted.worker_id)
    elif order is HistoryOrder.FAILED:
        score = _frequency(connection, places, wanted.worker_id, (tables.verdicts,), BAD)
    else:
        both = (tables.verdicts, tables.earlier_results)
        score = _frequency(connection, places, wanted.worker_id, both, {*BAD, Outcome.FLAKY})
    ranked = sorted((-value, case_id, target) for target, ids in score.items() for case_id, value in ids.items())
    return [target.of(case_id) for _, case_id, target in ranked]


def _frequency(
    connection: Connection, places: Places, worker_id: str, among: Sequence[Table], outcomes: Iterable[Outcome]
) -> Score:
    """In how many rows of some tables a case showed one of these outcomes."""
    score: Score = {}
    numbers = sorted(int(outcome) for outcome in outcomes)
    for table in among:
        for part in chunks(places.groups):
            query = select(table.c.group_id, table.c.case_index).where(table.c.group_id.in_(part))
            query = _on(worker_id, table, query.where(table.c.outcome.in_(numbers)))
            for group_id, index in connection.execute(query):
                case_id = places.case_id(group_id, index)
                if case_id:
                    ids = score.setdefault(places.groups[group_id].key, {})
                    ids[case_id] = ids.get(case_id, 0.0) + 1.0
    return score


def _slowness(connection: Connection, places: Places, worker_id: str) -> Score:
    """Mean seconds. SQL sums up all runs of one collection; what is left are sums by collection."""
    table = tables.verdicts
    sums: dict[Key, dict[str, tuple[float, int]]] = {}
    together: dict[tuple[str, Key], list[str]] = {}
    for group in places.groups.values():
        # Added cases are numbered in each group alone.
        alone = group.group_id if group.group_id in places.added else group.digest
        together.setdefault((alone, group.key), []).append(group.group_id)
    for (_, target), group_ids in together.items():
        ids = sums.setdefault(target, {})
        for part in chunks(group_ids):
            query = select(table.c.case_index, func.sum(table.c.seconds), func.count())
            query = _on(worker_id, table, query.where(table.c.group_id.in_(part)))
            for index, seconds, count in connection.execute(query.group_by(table.c.case_index)):
                case_id = places.case_id(part[0], index)
                if case_id:
                    before, times = ids.get(case_id, (0.0, 0))
                    ids[case_id] = (before + seconds, times + count)
    return {target: {one: total / count for one, (total, count) in ids.items()} for target, ids in sums.items()}


def _on(worker_id: str, table: Table, query: Any) -> Any:
    return query.where(table.c.worker_id == worker_id) if worker_id else query


def _histories(
    connection: Connection, places: Places, worker_id: str, keys: list[Key]
) -> Iterator[tuple[Key, History]]:
    """Those that were executed, in the order of the keys."""
    executions: dict[Key, list[Execution]] = {}
    for key, execution in _executions(connection, places, worker_id, keys):
        executions.setdefault(key, []).append(execution)
    for key in keys:
        if key in executions:
            yield key, summarise(executions[key])


def _executions(
    connection: Connection, places: Places, worker_id: str, keys: list[Key]
) -> Iterator[tuple[Key, Execution]]:
    for group_ids, numbers in places.rows(keys):
        target = places.groups[group_ids[0]].key
        for table in (tables.verdicts, tables.earlier_results):
            columns = [table.c[name] for name in _SHOWN]
            for part in chunks(group_ids):
                query = select(*columns).where(table.c.group_id.in_(part), table.c.case_index.in_(numbers))
                for row in connection.execute(_on(worker_id, table, query)):
                    group = places.groups[row.group_id]
                    execution = Execution(
                        group.run_id,
                        group.at,
                        group.content,
                        Outcome(row.outcome),
                        row.seconds,
                        row.message,
                        row.worker_id,
                        row.slot,
                        counts=table is tables.verdicts,
                        executed=bool(row.attempt_id),
                    )
                    yield target.of(places.case_id(row.group_id, row.case_index)), execution
