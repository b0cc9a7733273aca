"""What became of a case over many runs."""

from hypothesis import given
from hypothesis import strategies as st

from crossfleet.coordinator.core.case_history import WHOLE_WORKER, Execution, summarise, wilson
from crossfleet.coordinator.core.outcomes import Outcome


def execution(run, outcome=Outcome.PASSED, *, content="", place=("w1", 0), **more):
    return Execution(f"run{run}", float(run), content, outcome, 0.5, f"message {run}", *place, **more)


@given(st.integers(0, 500), st.integers(0, 500))
def test_an_interval_holds_its_rate_and_shrinks_with_evidence(hits, misses):
    low, high = wilson(hits, hits + misses)
    assert 0 <= low <= high <= 1
    if hits + misses:
        assert low <= hits / (hits + misses) <= high
        wider = wilson(hits, hits + misses)
        narrower = wilson(10 * hits, 10 * (hits + misses))
        assert narrower[1] - narrower[0] <= wider[1] - wider[0]


def test_the_interval_is_wilsons():
    # Wilson's interval of 1 in 10, as statistics programs give it.
    assert [round(bound, 4) for bound in wilson(1, 10)] == [0.0179, 0.4042]
    assert wilson(0, 0) == (0.0, 1.0)


def test_runs_are_counted_by_verdict_and_places_by_execution():
    history = summarise(
        [
            execution(1, Outcome.FAILED, place=("w1", 0), counts=False),
            execution(1, Outcome.FLAKY, place=("w2", 1)),
            execution(2, Outcome.PASSED, place=("w1", 0)),
            execution(3, Outcome.SKIPPED, place=("w1", 0)),
        ]
    )
    assert (history.runs.total, history.runs.passed, history.runs.flaky) == (2, 1, 1)
    assert history.recent == "R.s"
    shown = {place: (tally.passed, tally.failed) for place, tally in history.places.items()}
    assert shown == {("w1", 0): (1, 1), ("w1", WHOLE_WORKER): (1, 1), ("w2", 1): (1, 0), ("w2", WHOLE_WORKER): (1, 0)}
    assert history.last_failure is not None
    assert history.last_failure.run_id == "run1"


def test_a_plugins_own_reruns_are_a_failure_and_a_success_in_one_place():
    history = summarise([execution(1, Outcome.FLAKY)])
    tally = history.places["w1", 0]
    assert (tally.passed, tally.failed) == (1, 1)


def test_a_verdict_that_no_execution_gave_counts_for_the_run_alone():
    history = summarise(
        [execution(1, Outcome.FAILED, counts=False), execution(1, Outcome.FAILED, executed=False)],
    )
    assert (history.runs.failed, history.places["w1", 0].failed) == (1, 1)


def test_different_outcomes_on_the_same_content_are_flaky_and_on_others_are_not():
    same = [execution(1, content="a"), execution(2, Outcome.CRASHED, content="a"), execution(3, content="b")]
    assert summarise(same).contradictions == 1
    changed = [execution(1, content="a"), execution(2, Outcome.CRASHED, content="b"), execution(3, Outcome.FAILED)]
    assert not summarise(changed).flaky
    unknown = [execution(1), execution(2, Outcome.FAILED)]
    assert not summarise(unknown).flaky


@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from(list(Outcome)), st.sampled_from("ab")), max_size=30))
def test_the_order_in_which_rows_are_read_does_not_matter(rows):
    found = {run: execution(run, outcome, content=content) for run, outcome, content in rows}
    forwards, backwards = summarise(found.values()), summarise(reversed(list(found.values())))
    assert forwards == backwards
    assert forwards.runs.total <= len(forwards.recent) <= len(found)
