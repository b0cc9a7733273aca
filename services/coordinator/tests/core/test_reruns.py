"""Cases that failed are run again, elsewhere where that can be, and count once."""

import pytest

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.evolve import evolve
from crossfleet.coordinator.core.grouping import Grouping
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.outcomes import BAD, Cause, Outcome, RerunPlacement, RunVerdict, WorkerState
from services.coordinator.tests.core.fleet import Fleet


def begun(cases=1, *, workers=(("w1", 2),), marks=(), **policy):
    """A fleet on which the cases of a collected run are on slots, one a task."""
    fleet = Fleet()
    for name, slots in workers:
        fleet.join(name, slots, session=f"s-{name}")
    fleet.submit(policy=c.PolicySpec(max_cases_per_task=1, **policy), request=None)
    for allocation in fleet.place():
        fleet.collect(allocation, [f"m::t{number}" for number in range(cases)], reruns=marks)
    return fleet


def verdicts(fleet):
    return {case.case_index: case for event in fleet.of(e.CasesFinished) for case in event.cases}


def fail(fleet, outcome=Outcome.FAILED, message="boom"):
    """The one live attempt fails; answers where it ran."""
    (attempt,) = fleet.live()
    fleet.report(
        attempt.worker_id,
        fleet.results(attempt, outcome, message=message),
        c.AttemptFinished(attempt.attempt_id, Cause.CRASHED if outcome is Outcome.CRASHED else Cause.DONE),
    )
    return attempt.worker_id, attempt.slot


def end(fleet):
    """Whatever runs passes, until the run has its verdict."""
    fleet.work()
    return fleet.of(e.RunFinished)[-1]


@pytest.mark.parametrize("outcome", sorted(BAD))
def test_a_case_that_fails_first_and_passes_later_is_flaky_and_the_run_passes(outcome):
    fleet = begun(max_reruns=1)
    fail(fleet, outcome)

    finished = end(fleet)

    assert (verdicts(fleet)[0].outcome, verdicts(fleet)[0].message) == (Outcome.FLAKY, "boom")
    assert (finished.verdict, finished.cause) == (RunVerdict.PASSED, "")
    assert [case.outcome for event in fleet.of(e.CasesRerun) for case in event.cases] == [outcome]


def test_a_case_that_goes_on_failing_counts_once_and_with_its_last_outcome():
    fleet = begun(max_reruns=2, max_failures=2)
    fail(fleet)
    fail(fleet)
    fail(fleet, Outcome.CRASHED, "the process died")

    assert not fleet.live()
    assert verdicts(fleet)[0].outcome is Outcome.CRASHED
    assert verdicts(fleet)[0].message == "the process died"
    assert fleet.of(e.RunFinished)[-1].verdict is RunVerdict.FAILED
    assert len(fleet.of(e.CasesRerun)) == 2
    assert not fleet.of(e.RunStopping), "one case that failed three times is one failure"


def test_what_a_plugin_of_the_suite_has_run_again_already_is_final():
    fleet = begun(max_reruns=3)
    (attempt,) = fleet.live()
    result = c.CaseOutcome(0, Outcome.FAILED, 0.1, repeated=True)
    fleet.report("w1", c.AttemptResults(attempt.attempt_id, (result,)))

    assert verdicts(fleet)[0].outcome is Outcome.FAILED


def test_a_result_that_is_sent_twice_costs_one_rerun():
    fleet = begun(max_reruns=1)
    (attempt,) = fleet.live()
    report = c.WorkerReport("w1", "i1", (fleet.results(attempt, Outcome.FAILED),))
    fleet.do(report)
    fleet.do(report)

    assert len(fleet.of(e.CasesRerun)) == 1
    assert not verdicts(fleet)


@pytest.mark.parametrize(
    ("placement", "workers", "expected"),
    [
        (RerunPlacement.SAME, (("w1", 2),), [("w1", 0), ("w1", 0), ("w1", 0)]),
        (RerunPlacement.SLOT, (("w1", 2),), [("w1", 0), ("w1", 1), ("w1", 0)]),
        (RerunPlacement.SLOT, (("w1", 1),), [("w1", 0), ("w1", 0), ("w1", 0)]),
        (RerunPlacement.HOST, (("w1", 2), ("w2", 2)), [("w1", 0), ("w2", 0), ("w1", 1)]),
        (RerunPlacement.HOST, (("w1", 2),), [("w1", 0), ("w1", 1), ("w1", 0)]),
    ],
)
def test_a_case_is_run_again_where_it_is_wanted_or_anywhere_where_there_is_no_such_place(placement, workers, expected):
    fleet = begun(max_reruns=3, rerun_placement=placement, workers=workers)
    # A second allocation comes only for work that is left: here all were given before anything was collected.
    assert [fail(fleet) for _ in expected] == expected


def test_a_rerun_waits_for_a_better_slot_that_is_busy():
    fleet = begun(cases=3, max_reruns=1, workers=(("w1", 1), ("w2", 1)), rerun_placement=RerunPlacement.HOST)
    first, second = fleet.live()
    fleet.finish(first, outcome=Outcome.FAILED)

    (third,) = fleet.live(first.worker_id)
    assert third.cases == (2,), "w1 goes on with another case"
    fleet.finish(third)
    assert not fleet.live(first.worker_id), "and leaves the failed one to w2"
    fleet.finish(second)
    assert [one.cases for one in fleet.live(second.worker_id)] == [(0,)]
    end(fleet)
    assert verdicts(fleet)[0].worker_id == second.worker_id


def test_a_rerun_comes_back_when_the_better_host_is_lost():
    fleet = begun(cases=2, max_reruns=1, workers=(("w1", 1), ("w2", 1)), rerun_placement=RerunPlacement.HOST)
    first, _ = fleet.live()
    fleet.finish(first, outcome=Outcome.FAILED)
    assert not fleet.live("w1")

    fleet.do(c.WorkerLost("w2", "gone"))

    assert fleet.live("w1")
    end(fleet)
    assert verdicts(fleet)[0].outcome is Outcome.FLAKY


def test_an_idle_host_is_kept_for_as_long_as_a_case_may_be_wanted_there():
    fleet = begun(cases=2, max_reruns=1, workers=(("w1", 1), ("w2", 1)), rerun_placement=RerunPlacement.HOST)
    first, second = fleet.live()
    fleet.finish(second)
    fleet.finish(first, outcome=Outcome.FAILED)

    assert [one.worker_id for one in fleet.live()] == ["w2"]


def test_a_mark_of_the_case_wins_over_the_runs_own_number():
    fleet = begun(max_reruns=0, marks=((0, 1),))
    fail(fleet)
    assert fleet.live()
    fail(fleet)
    assert verdicts(fleet)[0].outcome is Outcome.FAILED


@pytest.mark.parametrize(("message", "again"), [("OSError: reset by peer", True), ("assert 1 == 2", False)])
def test_only_failures_that_are_named_are_run_again(message, again):
    fleet = begun(max_reruns=1, rerun_only=("^OSError", "timed? out"))
    fail(fleet, message=message)

    assert bool(fleet.live()) == again


def test_a_case_rests_before_it_is_run_again_and_its_slots_are_kept():
    fleet = begun(max_reruns=1, rerun_delay=5.0)
    fail(fleet)
    fleet.do(c.PassTime())
    assert not fleet.live()
    assert not fleet.of(e.AllocationClosing)

    fleet.now += 5.0
    fleet.do(c.PassTime())

    assert fleet.live()
    assert end(fleet).verdict is RunVerdict.PASSED


def stays_failed(fleet):
    assert fleet.of(e.RunFinished)[-1].verdict in {RunVerdict.FAILED, RunVerdict.CANCELLED}
    found = verdicts(fleet)[0]
    return (found.outcome, found.message, found.worker_id, found.slot) == (Outcome.FAILED, "boom", "w1", 0)


@pytest.mark.parametrize("delay", [0.0, 5.0])
def test_a_case_that_waits_to_be_run_again_when_its_run_is_cancelled_stays_failed(delay):
    fleet = begun(max_reruns=1, rerun_delay=delay)
    fail(fleet)
    fleet.do(c.StopRun("run", "enough"))

    assert stays_failed(fleet)


@pytest.mark.parametrize("delay", [0.0, 5.0])
def test_a_case_that_waits_to_be_run_again_at_the_failure_limit_stays_failed(delay):
    fleet = begun(cases=2, marks=((0, 1),), rerun_delay=delay, max_failures=1)
    first, second = fleet.live()
    fleet.report("w1", fleet.results(first, Outcome.FAILED, message="boom"))
    fleet.finish(second, outcome=Outcome.FAILED)

    assert stays_failed(fleet)


def test_a_case_whose_rerun_no_host_survives_stays_failed():
    fleet = begun(max_reruns=1, max_attempts=1, workers=(("w1", 1),))
    fail(fleet)
    fleet.do(c.WorkerLost("w1", "gone"))

    assert stays_failed(fleet)


def test_flaky_cases_fail_a_run_that_says_so():
    fleet = begun(max_reruns=1, fail_on_flaky=True)
    fail(fleet)

    finished = end(fleet)

    assert finished.verdict is RunVerdict.FAILED
    assert finished.cause == "1 flaky case counts as a failure here"


def test_what_was_committed_tells_after_a_restart_how_often_a_case_may_still_be_run_again():
    fleet = begun(max_reruns=2, rerun_placement=RerunPlacement.SLOT)
    place = fail(fleet)
    replayed = State()
    for event in fleet.events:
        evolve(replayed, event)

    (group,) = replayed.groups.values()
    assert [(one.worker_id, one.slot, one.message) for one in group.earlier[0]] == [(*place, "boom")]
    assert replayed.workers["w1"].state is WorkerState.READY


def test_a_case_that_stays_together_with_others_is_run_again_on_their_slot():
    fleet = begun(max_reruns=2, grouping=Grouping.FILE)

    assert len({fail(fleet), fail(fleet), fail(fleet)}) == 1


def test_another_host_that_was_asked_for_is_waited_for_while_it_gets_ready():
    fleet = Fleet()
    fleet.join("w1", 1)
    fleet.join("w2", 1, session="s2")
    fleet.submit(policy=c.PolicySpec(max_reruns=1, rerun_placement=RerunPlacement.HOST))
    first, second = fleet.place()
    fleet.collect(first, ["m::t0"])
    fail(fleet)
    assert not fleet.live()

    fleet.collect(second, ["m::t0"])

    assert [one.worker_id for one in fleet.live()] == ["w2"]
