"""The checker is checked: each planted defect is found, and a clean history is not blamed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.facts import Fact, Verdict
from tests.chaos.history import History, Kind, by_kind, judge

PASSED, FAILED = 1, 2


def clean(cases: int = 4) -> History:
    """Two attempts: the first is lost halfway, the second carries its rest out elsewhere."""
    half = cases // 2
    verdicts = [
        Verdict("t", f"c{n}", PASSED, 1 if n < half else 2, "w1" if n < half else "w2", 1, n + 1) for n in range(cases)
    ]
    log = [
        Fact("1.0", "run_submitted"),
        Fact("2.0", "tasks_assigned", assigned=((1, cases),)),
        Fact("3.0", "cases_finished", tuple(verdicts[:half])),
        Fact("4.0", "attempt_ended", attempt=1, left=cases - half),
        Fact("4.1", "tasks_assigned", assigned=((2, cases - half),)),
        Fact("5.0", "cases_finished", tuple(verdicts[half:])),
        Fact("5.1", "attempt_ended", attempt=2),
        Fact("5.2", "run_finished", total=cases),
    ]
    executed = {verdict.case: [verdict.worker] for verdict in verdicts}
    executed["t", f"c{half}"].insert(0, "w1")
    outcomes = {verdict.case: verdict.outcome for verdict in verdicts}
    return History(log, {"watcher": list(log)}, list(verdicts), outcomes, executed)


def with_log(change: Callable[[list[Fact]], list[Fact]]) -> History:
    """The log, and what was watched of it, changed alike."""
    history = clean()
    log = change(list(history.log))
    return replace(history, log=log, watched={"watcher": log})


def with_watched(change: Callable[[list[Fact]], list[Fact]]) -> History:
    """What was watched changed alone."""
    history = clean()
    return replace(history, watched={"watcher": change(list(history.log))})


def told(number: int, change: Callable[[tuple[Verdict, ...]], tuple[Verdict, ...]]) -> History:
    """The verdicts of one event changed."""
    return with_log(
        lambda log: [*log[:number], replace(log[number], verdicts=change(log[number].verdicts)), *log[number + 1 :]]
    )


LOST_IN_THE_LOG = told(2, lambda verdicts: verdicts[:1])
LOST_IN_THE_TABLE = replace(clean(), records=clean().records[1:])
PLANTED = {
    "a result is not in the log": (LOST_IN_THE_LOG, Kind.LOST),
    "a result is not in the table": (LOST_IN_THE_TABLE, Kind.LOST),
    "a run has no end": (with_log(lambda log: log[:-1]), Kind.LOST),
    "an attempt has no end": (with_log(lambda log: [*log[:6], log[7]]), Kind.LOST),
    "a result is told twice": (told(5, lambda verdicts: (*verdicts, verdicts[0])), Kind.DUPLICATED),
    "a result is stored twice": (replace(clean(), records=[*clean().records, clean().records[0]]), Kind.DUPLICATED),
    "two attempts settle one case": (
        told(5, lambda verdicts: (replace(verdicts[0], case_id="c0"), *verdicts[1:])),
        Kind.DUPLICATED,
    ),
    "a case shows up that no undisturbed run had": (
        told(5, lambda verdicts: (*verdicts, replace(verdicts[0], case_id="c9", position=9))),
        Kind.DUPLICATED,
    ),
    "an attempt ends twice": (
        with_log(lambda log: [*log[:6], replace(log[6], cursor="5.15"), *log[6:]]),
        Kind.DUPLICATED,
    ),
    "a result comes after its attempt has ended": (
        with_log(lambda log: [*log[:2], replace(log[3], cursor="2.5"), replace(log[2], cursor="4.0"), *log[4:]]),
        Kind.REORDERED,
    ),
    "a result comes before its attempt": (
        with_log(lambda log: [log[0], replace(log[2], cursor="1.5"), log[1], *log[3:]]),
        Kind.REORDERED,
    ),
    "results of one process change places": (told(5, lambda verdicts: verdicts[::-1]), Kind.REORDERED),
    "the log goes back": (with_log(lambda log: [*log[:4], log[5], log[4], *log[6:]]), Kind.REORDERED),
    "a watcher missed an event": (with_watched(lambda log: [*log[:3], *log[4:]]), Kind.GAP),
    "a watcher missed the end": (with_watched(lambda log: log[:-1]), Kind.GAP),
    "a watcher saw an event twice": (with_watched(lambda log: [*log[:3], *log[2:]]), Kind.TWIN),
    "a watcher saw events change places": (
        with_watched(lambda log: [*log[:4], log[5], log[4], *log[6:]]),
        Kind.REORDERED,
    ),
    "a watcher saw what was never committed": (
        with_watched(lambda log: [*log[:4], Fact("4.05", "attempt_ended", attempt=7), *log[4:]]),
        Kind.CHANGED,
    ),
    "a watcher saw another result": (
        with_watched(
            lambda log: [replace(f, verdicts=tuple(replace(v, outcome=FAILED) for v in f.verdicts)) for f in log]
        ),
        Kind.CHANGED,
    ),
    "the table holds another result than was told": (
        replace(clean(), records=[replace(verdict, outcome=FAILED) for verdict in clean().records]),
        Kind.CHANGED,
    ),
    "a verdict differs from the undisturbed run's": (
        replace(clean(), expected=dict.fromkeys(clean().expected, FAILED)),
        Kind.CHANGED,
    ),
    "a result is of a worker that never began the case": (
        replace(clean(), executed={**clean().executed, ("t", "c0"): ["w2"]}),
        Kind.CHANGED,
    ),
    "an attempt got a case that was settled": (
        with_log(lambda log: [*log[:4], replace(log[4], assigned=((2, 3),)), *log[5:]]),
        Kind.AGAIN,
    ),
    "more was executed again than was left": (
        replace(clean(), executed={case: ["w1", "w2", "w2", *where] for case, where in clean().executed.items()}),
        Kind.AGAIN,
    ),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_defect_is_found(planted: str) -> None:
    history, kind = PLANTED[planted]

    assert kind in by_kind(judge(history)), judge(history)


@given(cases=st.integers(2, 40))
def test_a_history_with_a_lost_attempt_and_nothing_wrong_is_clean(cases: int) -> None:
    assert judge(clean(cases)) == []


@given(data=st.data(), cases=st.integers(2, 12))
def test_whatever_single_event_a_watcher_lost_is_named(data: st.DataObject, cases: int) -> None:
    history = clean(cases)
    number = data.draw(st.integers(0, len(history.log) - 1))
    seen = [fact for place, fact in enumerate(history.log) if place != number]

    (found,) = judge(replace(history, watched={"watcher": seen}))

    assert found.kind is Kind.GAP
    assert history.log[number].cursor in found.text
