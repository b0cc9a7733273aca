"""Histories of cases, read from what runs have committed."""

import pytest

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core.case_history import WHOLE_WORKER
from crossfleet.coordinator.core.outcomes import Cause, Outcome
from crossfleet.coordinator.ledger.history_places import HistoryFilter
from crossfleet.coordinator.ledger.history_queries import HistoryOrder
from crossfleet.coordinator.ledger.ledger import Ledger
from crossfleet.coordinator.ledger.queries import Queries
from crossfleet.coordinator.ledger.sql import SqlStore
from crossfleet.matching.model import Request
from services.coordinator.tests.ledger.scenario import hello, plan, submit


@pytest.fixture
def ledger(tmp_path):
    store = SqlStore.sqlite(tmp_path / "ledger.db")
    ledger = Ledger(store)
    ledger.open("leader")
    yield ledger
    store.close()


@pytest.fixture
def queries(ledger, tmp_path):
    queries = Queries.sqlite(tmp_path / "ledger.db")
    yield queries
    queries.close()


def work(ledger, number, shown, *, cases=("a", "b", "c"), seconds=None, **more):
    """Run number `number`: `shown` has the outcomes of a case, one after the other; whatever is not there passes."""
    policy = c.PolicySpec(max_reruns=3, max_cases_per_task=1)
    left = {case: list(outcomes) for case, outcomes in shown.items()}
    run_id, now = f"run{number}", float(number * 100)
    ledger.commit([submit(run_id, cases, policy=policy, **more), hello(), plan(run_id)], now)
    while ledger.state.attempts:
        for attempt in list(ledger.state.attempts.values()):
            case = cases[attempt.cases[0]]
            outcome = left[case].pop(0) if left.get(case) else Outcome.PASSED
            result = c.CaseOutcome(
                attempt.cases[0], outcome, (seconds or {}).get(case, 0.1), f"{outcome.name} {number}"
            )
            items = (
                c.AttemptResults(attempt.attempt_id, (result,)),
                c.AttemptFinished(attempt.attempt_id, Cause.DONE),
            )
            ledger.commit([c.WorkerReport("w1", "i1", items)], now + 1)
    ended = [c.AllocationEnded(one, Cause.DONE) for one in ledger.state.allocations]
    ledger.commit([c.WorkerReport("w1", "i1", tuple(ended))], now + 2)


async def ask(queries, order=HistoryOrder.BY_ID, *, skip=0, limit=50, content=lambda spec, target: "", **wanted):
    return await queries.case_history(HistoryFilter(**wanted), order, skip=skip, limit=limit, content=content)


def shown(page):
    return {key.case_id: history for key, history in page.cases}


FAILED, PASSED = Outcome.FAILED, Outcome.PASSED


async def test_a_flaky_case_is_told_with_its_failures_and_places(ledger, queries):
    work(ledger, 1, {"a": [FAILED, PASSED]})
    work(ledger, 2, {"b": [FAILED] * 4})
    work(ledger, 3, {})

    page = await ask(queries)
    found = shown(page)

    assert (page.runs, page.more, list(found)) == (3, False, ["a", "b", "c"])
    assert [history.recent for history in found.values()] == ["R..", ".F.", "..."]
    flaky = found["a"].places["w1", WHOLE_WORKER]
    assert (flaky.passed, flaky.failed) == (3, 1)
    assert found["b"].places["w1", WHOLE_WORKER].failed == 4
    assert found["a"].last_failure.message == "FAILED 1"
    assert list(shown(await ask(queries, HistoryOrder.FLAKY))) == ["a"]
    assert list(shown(await ask(queries, HistoryOrder.FAILED))) == ["b"]


async def test_a_case_keeps_its_history_when_its_collection_changes(ledger, queries):
    work(ledger, 1, {"b": [FAILED] * 4}, cases=("a", "b"))
    work(ledger, 2, {"b": [FAILED] * 4}, cases=("new", "a", "b"))

    found = shown(await ask(queries))

    assert {case: history.recent for case, history in found.items()} == {"a": "..", "b": "FF", "new": "."}


async def test_histories_of_other_suites_projects_and_targets_are_kept_apart(ledger, queries):
    work(ledger, 1, {})
    ledger.commit([submit("elsewhere", ("a",), targets=(c.TargetSpec("gpu", "", Request()),))], 150.0)

    assert list(shown(await ask(queries, target="default"))) == ["a", "b", "c"]
    assert not (await ask(queries, target="gpu")).cases, "nothing was executed there"
    assert not (await ask(queries, suite="other")).cases
    assert not (await ask(queries, project="other")).cases
    assert (await ask(queries, since=120.0)).runs == 1


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("x", {"x[1]", "x[2]", "ax"}), ("x[1]", {"x[1]"}), ("x*", {"x[1]", "x[2]"}), ("*x", {"ax"}), ("no", set())],
)
async def test_a_pattern_is_part_of_an_id_or_a_shell_pattern(ledger, queries, pattern, expected):
    work(ledger, 1, {}, cases=("x[1]", "x[2]", "ax", "b"))

    assert set(shown(await ask(queries, pattern=pattern))) == expected


async def test_the_slowest_come_first_and_pages_follow_each_other(ledger, queries):
    work(ledger, 1, {}, seconds={"a": 1.0, "b": 3.0, "c": 2.0})
    work(ledger, 2, {}, seconds={"a": 1.0, "b": 3.0, "c": 2.0})

    pages = [await ask(queries, HistoryOrder.SLOWEST, skip=skip, limit=2) for skip in (0, 2)]

    assert [list(shown(page)) for page in pages] == [["b", "c"], ["a"]]
    assert [page.more for page in pages] == [True, False]
    assert shown(pages[0])["b"].median_seconds == 3.0


async def test_only_the_last_runs_are_looked_at(ledger, queries):
    for number in range(1, 5):
        work(ledger, number, {"a": [FAILED] * 4} if number == 1 else {})

    found = shown(await ask(queries, max_runs=3))

    assert found["a"].recent == "..."


async def test_different_outcomes_on_one_content_make_a_case_flaky(ledger, queries):
    work(ledger, 1, {"a": [FAILED] * 4, "b": [FAILED] * 4})
    work(ledger, 2, {"b": [FAILED] * 4})

    page = await ask(queries, HistoryOrder.FLAKY, content=lambda spec, target: "same files")

    assert {case: history.contradictions for case, history in shown(page).items()} == {"a": 1}
    assert not (await ask(queries, HistoryOrder.FLAKY)).cases


async def test_cases_that_only_showed_during_execution_have_a_history(ledger, queries):
    for number in (1, 2):
        run_id, now = f"run{number}", float(number)
        ledger.commit([submit(run_id, ("all",)), hello(), plan(run_id, 1)], now)
        (attempt,) = ledger.state.attempts.values()
        results = (
            c.CaseOutcome(-1, FAILED, 2.0, "broke", added_case_id=f"only{number}"),
            c.CaseOutcome(-1, PASSED, 1.0, added_case_id="both"),
            c.CaseOutcome(0, PASSED, 0.1),
        )
        items = (c.AttemptResults(attempt.attempt_id, results), c.AttemptFinished(attempt.attempt_id, Cause.DONE))
        ledger.commit([c.WorkerReport("w1", "i1", items)], now)
        ended = tuple(c.AllocationEnded(one, Cause.DONE) for one in ledger.state.allocations)
        ledger.commit([c.WorkerReport("w1", "i1", ended)], now)

    assert {case: one.recent for case, one in shown(await ask(queries)).items()} == {
        "all": "..",
        "both": "..",
        "only1": "F",
        "only2": "F",
    }
    assert list(shown(await ask(queries, HistoryOrder.SLOWEST))) == ["only1", "only2", "both", "all"]
    assert list(shown(await ask(queries, HistoryOrder.FAILED))) == ["only1", "only2"]


async def test_a_listed_case_has_its_earlier_failures_with_what_they_showed(ledger, queries):
    work(ledger, 1, {"b": [FAILED, Outcome.CRASHED, PASSED]})

    case = await queries.case("run1", "default", "b")
    plain = await queries.cases("run1")

    assert case.outcome is Outcome.FLAKY
    assert [(one.outcome, one.message) for one in case.earlier] == [
        (FAILED, "FAILED 1"),
        (Outcome.CRASHED, "CRASHED 1"),
    ]
    assert [len(one.earlier) for one in plain] == [0, 2, 0]
