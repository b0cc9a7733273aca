"""What became of a run, judged: whether anything was lost, doubled, reordered or changed. Pure."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.chaos.facts import Fact, Verdict

Case = tuple[str, str]


class Kind(StrEnum):
    """What may be wrong."""

    LOST = "lost"
    DUPLICATED = "duplicated"
    REORDERED = "reordered"
    CHANGED = "changed"
    GAP = "gap"
    TWIN = "twin"
    AGAIN = "executed again"
    NO_EFFECT = "without effect"


@dataclass(frozen=True, slots=True)
class Finding:
    """One defect, with what it is about."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class History:
    """All that is known of one run after its end.

    `log` is read from the API afterwards, `watched` what each watcher saw meanwhile, `records` the table of cases,
    `expected` the outcomes of an undisturbed run, `executed` the workers on which each case began, by its own notes.
    """

    log: Sequence[Fact]
    watched: Mapping[str, Sequence[Fact]]
    records: Sequence[Verdict]
    expected: Mapping[Case, int]
    executed: Mapping[Case, Sequence[str]]


def judge(history: History) -> list[Finding]:
    """All that is wrong with a run that ended."""
    told = [verdict for fact in history.log for verdict in fact.verdicts]
    return [
        *_order(history.log),
        *(finding for name, seen in history.watched.items() for finding in compare(name, seen, history.log)),
        *_verdicts(told, history),
        *_attempts(history.log),
        *_places(told),
        *_executions(told, history),
    ]


def compare(name: str, seen: Sequence[Fact], log: Sequence[Fact]) -> Iterator[Finding]:
    """What a watcher saw must be the log: nothing missing, twice, elsewhere or else."""
    known = {fact.cursor: fact for fact in log}
    count = Counter(fact.cursor for fact in seen)
    for cursor in known.keys() - count.keys():
        yield Finding(Kind.GAP, f"{name} did not see {cursor} {known[cursor].kind}")
    for cursor, times in count.items():
        if times > 1:
            yield Finding(Kind.TWIN, f"{name} saw {cursor} {times} times")
        if cursor not in known:
            yield Finding(Kind.CHANGED, f"{name} saw {cursor}, which is not in the log")
    for fact in seen:
        if fact.cursor in known and fact != known[fact.cursor]:
            yield Finding(Kind.CHANGED, f"{name} saw {fact.cursor} as {fact}, the log has {known[fact.cursor]}")
    for first, second in itertools.pairwise(seen):
        if second.place < first.place:
            yield Finding(Kind.REORDERED, f"{name} saw {second.cursor} after {first.cursor}")


def _order(log: Sequence[Fact]) -> Iterator[Finding]:
    """Cursors rise; the run opens first and ends last, once."""
    for first, second in itertools.pairwise(log):
        if second.place == first.place:
            yield Finding(Kind.TWIN, f"the log has {second.cursor} twice")
        elif second.place < first.place:
            yield Finding(Kind.REORDERED, f"the log has {second.cursor} after {first.cursor}")
    kinds = [fact.kind for fact in log]
    for kind, where in (("run_submitted", 0), ("run_finished", -1)):
        if kind not in kinds:
            yield Finding(Kind.LOST, f"the log has no {kind}")
        elif kinds.count(kind) > 1:
            yield Finding(Kind.DUPLICATED, f"the log has {kinds.count(kind)} of {kind}")
        elif kinds[where] != kind:
            yield Finding(Kind.REORDERED, f"{kind} is not where it belongs: {kinds[where]} is there")


def _verdicts(told: Sequence[Verdict], history: History) -> Iterator[Finding]:
    """Each case has one verdict, the same in the log, in the table and without faults."""
    count = Counter(verdict.case for verdict in told)
    stored = Counter(verdict.case for verdict in history.records)
    for case in history.expected:
        if not count[case] or not stored[case]:
            where = "the log" if not count[case] else "the table"
            yield Finding(Kind.LOST, f"{case} has no verdict in {where}")
    for source, counted in (("told", count), ("stored", stored)):
        for case, times in counted.items():
            if times > 1:
                yield Finding(Kind.DUPLICATED, f"{case} was {source} {times} times")
            if case not in history.expected:
                yield Finding(Kind.DUPLICATED, f"{case} was {source}, which the undisturbed run did not have")
    kept = {verdict.case: verdict for verdict in history.records}
    for verdict in told:
        if verdict.case in kept and kept[verdict.case] != verdict:
            yield Finding(Kind.CHANGED, f"told as {verdict}, stored as {kept[verdict.case]}")
        wanted = history.expected.get(verdict.case, verdict.outcome)
        if verdict.outcome != wanted:
            yield Finding(Kind.CHANGED, f"{verdict.case} has outcome {verdict.outcome}, undisturbed {wanted}")
    totals = [fact.total for fact in history.log if fact.kind == "run_finished"]
    if totals and totals[0] != len(count):
        yield Finding(Kind.LOST, f"the run counts {totals[0]} cases, the log has {len(count)}")


def _attempts(log: Sequence[Fact]) -> Iterator[Finding]:
    """A result comes between its attempt's assignment and end; what an attempt was given, it settled or left."""
    given: dict[int, int] = {}
    settled: Counter[int] = Counter()
    left: dict[int, int] = {}
    for fact in log:
        for attempt, cases in fact.assigned:
            if attempt in given:
                yield Finding(Kind.DUPLICATED, f"attempt {attempt} was assigned twice")
            given[attempt] = cases
        for verdict in fact.verdicts:
            settled[verdict.attempt] += 1
            if verdict.attempt not in given:
                yield Finding(Kind.REORDERED, f"{verdict.case} has a result of {verdict.attempt}, not assigned yet")
            if verdict.attempt in left:
                yield Finding(Kind.REORDERED, f"{verdict.case} has a result of {verdict.attempt}, which had ended")
        if fact.kind == "attempt_ended":
            if fact.attempt in left:
                yield Finding(Kind.DUPLICATED, f"attempt {fact.attempt} ended twice")
            left[fact.attempt] = fact.left
    for attempt, cases in given.items():
        if attempt not in left:
            yield Finding(Kind.LOST, f"attempt {attempt} has no end")
        elif settled[attempt] + left[attempt] < cases:
            again = cases - settled[attempt] - left[attempt]
            yield Finding(Kind.AGAIN, f"attempt {attempt} had {again} cases that others had settled")
        elif settled[attempt] + left[attempt] > cases:
            yield Finding(Kind.DUPLICATED, f"attempt {attempt} settled and left more than its {cases} cases")


def _places(told: Iterable[Verdict]) -> Iterator[Finding]:
    """The results of one attempt in one process come in the order in which they were executed, no place twice."""
    last: dict[tuple[int, int], int] = {}
    for verdict in told:
        if not verdict.position:
            continue
        key = verdict.attempt, verdict.process
        if verdict.position <= last.get(key, 0):
            kind = Kind.TWIN if verdict.position == last[key] else Kind.REORDERED
            yield Finding(kind, f"{verdict.case} is number {verdict.position} of its process after {last[key]}")
        last[key] = verdict.position


def _executions(told: Sequence[Verdict], history: History) -> Iterator[Finding]:
    """A verdict rests on an execution there, and no more is executed again than lost attempts had left."""
    if not history.executed:
        return
    for verdict in told:
        began = history.executed.get(verdict.case, ())
        if verdict.worker not in began:
            yield Finding(Kind.CHANGED, f"{verdict.case} began on {began}, but its result is of {verdict.worker}")
    again = sum(len(began) - 1 for began in history.executed.values())
    left = sum(fact.left for fact in history.log)
    if again > left:
        yield Finding(Kind.AGAIN, f"{again} executions more than cases, but lost attempts left only {left}")


def by_kind(findings: Iterable[Finding]) -> Counter[Kind]:
    """How many of each."""
    return Counter(finding.kind for finding in findings)
