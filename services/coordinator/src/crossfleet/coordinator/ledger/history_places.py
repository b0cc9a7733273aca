"""Where cases stand in the tables: rows of verdicts have a group and a number, people and histories have ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from crossfleet.coordinator.ledger import codec, tables

# Bound parameters of one statement: SQLite takes 32,766.
CHUNK = 500


class Key(NamedTuple):
    """Whose history it is."""

    case_id: str
    project: str
    suite: str
    runner: str
    target: str

    def of(self, case_id: str) -> Key:
        """The key of another case beside it."""
        return Key(case_id, *self[1:])


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which runs and cases are looked at; empty or zero: all. `since` in unix seconds, `max_runs` the newest so many."""

    project: str = ""
    suite: str = ""
    runner: str = ""
    pattern: str = ""
    target: str = ""
    worker_id: str = ""
    since: float = 0.0
    max_runs: int = 100


@dataclass(frozen=True, slots=True)
class HistoryGroup:
    """A task group of a run that is looked at. `content` names what was tested, empty where that is not known."""

    group_id: str
    run_id: str
    at: float
    digest: str
    content: str
    key: Key


@dataclass(slots=True)
class Places:
    """All groups, and ids by number: of collections by digest, of added cases by group."""

    groups: dict[str, HistoryGroup]
    runs: int
    collected: dict[str, tuple[str, ...]] = field(default_factory=dict)
    added: dict[str, dict[int, str]] = field(default_factory=dict)

    def case_id(self, group_id: str, index: int) -> str:
        """Whose verdict a row is; empty for a case that does not fit the pattern."""
        ids = self.collected.get(self.groups[group_id].digest, ())
        return ids[index] if index < len(ids) else self.added.get(group_id, {}).get(index, "")

    def keys(self) -> list[Key]:
        """All cases, sorted."""
        ids: dict[Key, set[str]] = {}
        for digest, target in {(one.digest, one.key) for one in self.groups.values()}:
            ids.setdefault(target, set()).update(self.collected.get(digest, ()))
        for group_id, added in self.added.items():
            ids.setdefault(self.groups[group_id].key, set()).update(added.values())
        return sorted(target.of(case_id) for target, found in ids.items() for case_id in found if case_id)

    def rows(self, keys: Sequence[Key]) -> Iterator[tuple[list[str], list[int]]]:
        """Groups and numbers whose every combination is a row of one of these cases."""
        by_digest: dict[tuple[str, Key], list[str]] = {}
        for group in self.groups.values():
            by_digest.setdefault((group.digest, group.key), []).append(group.group_id)
        wanted: dict[Key, set[str]] = {}
        for key in keys:
            wanted.setdefault(key.of(""), set()).add(key.case_id)
        for (digest, target), group_ids in by_digest.items():
            ids = wanted.get(target, set())
            numbers = [index for index, case_id in enumerate(self.collected.get(digest, ())) if case_id in ids]
            for part in chunks(numbers):
                yield group_ids, part
            for group_id in group_ids:
                for part in chunks([i for i, case_id in self.added.get(group_id, {}).items() if case_id in ids]):
                    yield [group_id], part


def chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    """The same in lists that a statement can take."""
    iterator = iter(items)
    while part := list(islice(iterator, CHUNK)):
        yield part


def find_places(connection: Connection, wanted: HistoryFilter, content: Callable[[bytes, str], str]) -> Places:
    """Groups and ids; ids that do not fit the pattern are empty. `content(spec, target)` names what was tested."""
    groups = _groups(connection, wanted, content)
    places = Places(groups, len({one.run_id for one in groups.values()}))
    fits = _fitting(wanted.pattern)
    table = tables.collections.c
    for part in chunks(dict.fromkeys(one.digest for one in groups.values() if one.digest)):
        query = select(table.digest, table.cases).where(table.digest.in_(part))
        for digest, body in connection.execute(query):
            ids = codec.decode_case_ids(body)
            places.collected[digest] = tuple(i if fits(i) else "" for i in ids) if wanted.pattern else ids
    added = tables.added_cases.c
    for part in chunks(groups):
        more = select(added.group_id, added.case_index, added.case_id).where(added.group_id.in_(part))
        for row in connection.execute(more):
            if fits(row.case_id):
                places.added.setdefault(row.group_id, {})[row.case_index] = row.case_id
    return places


def _groups(
    connection: Connection, wanted: HistoryFilter, content: Callable[[bytes, str], str]
) -> dict[str, HistoryGroup]:
    runs, groups = tables.runs.c, tables.task_groups.c
    query = select(runs.run_id, runs.project, runs.suite, runs.runner, runs.created_at, runs.spec)
    for column, value in ((runs.project, wanted.project), (runs.suite, wanted.suite), (runs.runner, wanted.runner)):
        query = query.where(column == value) if value else query
    if wanted.since:
        query = query.where(runs.created_at >= wanted.since)
    query = query.order_by(runs.created_at.desc(), runs.run_id.desc()).limit(wanted.max_runs)
    found = {row.run_id: row for row in connection.execute(query)}
    known: dict[str, HistoryGroup] = {}
    for part in chunks(found):
        inside = select(groups.group_id, groups.run_id, groups.target, groups.digest).where(groups.run_id.in_(part))
        inside = inside.where(groups.target == wanted.target) if wanted.target else inside
        for row in connection.execute(inside):
            run = found[row.run_id]
            key = Key("", run.project, run.suite, run.runner, row.target)
            tested = content(run.spec, row.target)
            known[row.group_id] = HistoryGroup(row.group_id, row.run_id, run.created_at, row.digest, tested, key)
    return known


def _fitting(pattern: str) -> Callable[[str], bool]:
    """Ids of parametrised cases end in brackets: a text that stands in an id is no pattern, whatever it holds."""
    if not pattern:
        return lambda case_id: True
    if not any(sign in pattern for sign in "*?["):
        return lambda case_id: pattern in case_id
    return lambda case_id: pattern in case_id or fnmatchcase(case_id, pattern)
