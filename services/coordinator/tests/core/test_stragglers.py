"""Cases that last too long are executed a second time: when, where, and that exactly one result of each counts."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.last_cases import CopyAssigned
from crossfleet.coordinator.core.outcomes import Cause, Outcome, RunVerdict
from crossfleet.matching.model import Request
from services.coordinator.tests.core.fleet import Fleet
from services.coordinator.tests.core.test_any_order import (
    STEPS,
    check_as_an_earlier_version_reads_it,
    check_verdicts,
    heal,
    step,
)

CASES = [f"m{n}::case" for n in range(4)]


def lasting(
    *, speculate=100, seconds=30.0, cases=CASES, estimates=(1.0,) * 4, policy=None, request=None, **more
) -> Fleet:
    """A run on two hosts, of which all cases have ended but the first, for which one second is expected."""
    fleet = Fleet()
    fleet.join("w1", slots=2, runners=("pytest", "command"))
    fleet.join("w2", slots=2, session="s2", runners=("pytest", "command"))
    policy = replace(policy or c.PolicySpec(), speculate=speculate, max_cases_per_task=1)
    fleet.submit("run", cases, estimates=estimates, policy=policy, request=request, **more)
    fleet.place()
    while len(fleet.live()) > 1 or fleet.state.groups["run/default"].queue.count:
        attempt = next(one for one in fleet.live() if one.worker_id != "w1" or one.cases != (0,))
        fleet.finish(attempt)
        fleet.do(c.WantTasks(attempt.worker_id, attempt.allocation_id, (attempt.slot,)))
    pass_time(fleet, seconds)
    return fleet


def pass_time(fleet: Fleet, seconds: float) -> None:
    fleet.now += seconds
    fleet.do(c.PassTime())


def copy_of(fleet: Fleet):
    return next((one for one in fleet.live() if one.copy), None)


def first_of(fleet: Fleet):
    return next(one for one in fleet.live() if not one.copy)


def verdicts(fleet: Fleet) -> dict[int, Outcome]:
    found = [case for event in fleet.of(e.CasesFinished) for case in event.cases]
    assert len({case.case_index for case in found}) == len(found), "a case counts twice"
    return {case.case_index: case.outcome for case in found}


def test_a_case_that_lasts_several_times_as_long_is_executed_a_second_time_on_another_host():
    fleet = lasting()
    copy, first = copy_of(fleet), first_of(fleet)

    assert copy.cases == first.cases == (0,)
    assert {copy.worker_id, first.worker_id} == {"w1", "w2"}


@pytest.mark.parametrize(
    "conditions",
    [
        {"speculate": 0},
        {"seconds": 2.0},
        {"estimates": (100.0,) * 4},
        {"estimates": (0.0, 1.0, 1.0, 1.0)},
        {"estimates": ()},
        {"request": Request(exclusive=True)},
        {"runner": "command"},
    ],
    ids=["not asked for", "not late", "long by nature", "never measured", "no history", "benchmarks", "commands"],
)
def test_a_case_is_not_executed_a_second_time_where(conditions):
    assert copy_of(lasting(**conditions)) is None


def test_each_case_is_copied_once_and_only_a_part_of_them_at_all():
    fleet = lasting()
    fleet.finish(copy_of(fleet), outcome=Outcome.FAILED)
    pass_time(fleet, 60.0)
    assert copy_of(fleet) is None
    assert len(fleet.of(CopyAssigned)) == 1


def test_the_copy_that_passes_first_counts_and_the_other_execution_is_ended():
    fleet = lasting()
    first, copy = first_of(fleet), copy_of(fleet)
    fleet.finish(copy)

    assert verdicts(fleet)[0] is Outcome.PASSED
    verdict = fleet.of(e.CasesFinished)[-1].cases[0]
    assert verdict.attempt_id == copy.attempt_id
    assert verdict.message.startswith(
        f"executed a second time, on {copy.worker_id}: on {first.worker_id} it had lasted 3"
    )
    assert fleet.state.revoked[first.attempt_id] == first.worker_id

    answer = fleet.report(first.worker_id, fleet.results(replace(first, allocation_id="a1"), Outcome.FAILED))
    assert answer.stale == (first.attempt_id,)
    fleet.close_what_is_closing()
    assert verdicts(fleet)[0] is Outcome.PASSED
    assert fleet.state.runs["run"].verdict is RunVerdict.PASSED


@pytest.mark.parametrize("outcome", [Outcome.PASSED, Outcome.FAILED])
def test_the_first_execution_counts_where_it_ends_first(outcome):
    fleet = lasting()
    first, copy = first_of(fleet), copy_of(fleet)
    fleet.finish(first, outcome=outcome)

    assert verdicts(fleet)[0] is outcome
    assert copy.attempt_id not in fleet.state.attempts
    assert fleet.state.revoked[copy.attempt_id] == copy.worker_id
    fleet.finish(copy, outcome=Outcome.PASSED)
    assert verdicts(fleet)[0] is outcome


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.CRASHED, Outcome.SKIPPED, Outcome.TIMED_OUT])
def test_a_copy_that_does_not_pass_decides_nothing(outcome):
    fleet = lasting()
    fleet.finish(copy_of(fleet), outcome=outcome)
    assert 0 not in verdicts(fleet)

    fleet.finish(first_of(fleet))
    assert verdicts(fleet)[0] is Outcome.PASSED


def test_the_copy_goes_on_alone_when_the_host_of_the_first_execution_is_lost():
    fleet = lasting(policy=c.PolicySpec(max_attempts=1))
    first, copy = first_of(fleet), copy_of(fleet)
    fleet.do(c.WorkerLost(first.worker_id, "lost"))

    kept = fleet.state.attempts[copy.attempt_id]
    assert not kept.copy
    assert not fleet.state.groups["run/default"].queue.count
    fleet.finish(kept, outcome=Outcome.FAILED)
    assert verdicts(fleet)[0] is Outcome.FAILED


def test_the_first_execution_goes_on_when_the_host_of_the_copy_is_lost():
    fleet = lasting()
    first, copy = first_of(fleet), copy_of(fleet)
    fleet.do(c.WorkerLost(copy.worker_id, "lost"))

    assert first.attempt_id in fleet.state.attempts
    assert fleet.state.groups["run/default"].tries == {}
    fleet.finish(first)
    assert verdicts(fleet)[0] is Outcome.PASSED


def test_a_failure_that_is_to_be_run_again_ends_the_copy():
    fleet = lasting(policy=c.PolicySpec(max_reruns=1))
    first, copy = first_of(fleet), copy_of(fleet)
    fleet.finish(first, outcome=Outcome.FAILED)
    assert copy.attempt_id not in fleet.state.attempts

    fleet.finish(first_of(fleet))
    assert verdicts(fleet)[0] is Outcome.FLAKY


def test_what_waits_behind_the_case_goes_elsewhere_when_its_copy_has_passed():
    fleet = Fleet()
    fleet.join("w1", slots=1)
    fleet.submit("run", ["m::a", "m::b", "n::c"], estimates=(1.0, 1.0, 1.0), policy=c.PolicySpec(speculate=100))
    fleet.place()
    fleet.join("w2", slots=1, session="s2")
    fleet.place()
    busy = next(one for one in fleet.live() if len(one.cases) > 1)
    fleet.finish(next(one for one in fleet.live() if one is not busy))
    pass_time(fleet, 30.0)
    fleet.finish(copy_of(fleet))

    assert busy.attempt_id not in fleet.state.attempts
    ended = next(one for one in fleet.of(e.AttemptEnded) if one.attempt_id == busy.attempt_id)
    assert (ended.cause, ended.charged, list(ended.left)) == (Cause.CANCELLED, False, [1])
    fleet.work()
    assert fleet.state.runs["run"].verdict is RunVerdict.PASSED


def test_a_run_that_is_stopped_ends_both():
    fleet = lasting()
    fleet.do(c.StopRun("run", "stopped"))

    assert not fleet.live()
    assert verdicts(fleet)[0] is Outcome.CANCELLED


def test_an_assignment_of_a_copy_that_never_arrived_is_no_loss():
    fleet = lasting()
    first, copy = first_of(fleet), copy_of(fleet)
    held = [c.HeldAllocation(copy.allocation_id, (), ())]
    answer = fleet.join(copy.worker_id, slots=2, session="s9", held=held)
    fleet.do(c.AttemptsMissing(copy.worker_id, "s9", answer.undelivered))

    assert copy_of(fleet) is None
    fleet.finish(first)
    assert verdicts(fleet)[0] is Outcome.PASSED


def test_a_slot_that_waits_for_what_follows_is_answered_when_the_case_before_passed_elsewhere():
    fleet = Fleet()
    fleet.join("w1", slots=1)
    fleet.join("w2", slots=1, session="s2")
    policy = c.PolicySpec(speculate=100, max_cases_per_task=1)
    fleet.submit("run", CASES, estimates=(1.0,) * 4, policy=policy)
    fleet.place()
    hangs = fleet.live("w1")[0]
    for _ in range(2):
        fleet.do(c.WantTasks("w1", hangs.allocation_id, (0,)))
    while fleet.live("w2"):
        attempt = fleet.live("w2")[0]
        fleet.finish(attempt)
        fleet.do(c.WantTasks("w2", attempt.allocation_id, (0,)))
    slot = fleet.state.allocations[hangs.allocation_id].slots[0]
    assert len(slot.attempts) == 2
    assert slot.wanting

    pass_time(fleet, 30.0)
    fleet.finish(copy_of(fleet))

    assert len(slot.attempts) == 1
    assert not slot.wanting
    assert (hangs.allocation_id, (0,)) in [(one.allocation_id, one.slots) for one in fleet.of(e.SlotsReleased)]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 1000)), max_size=20), st.integers(0, 2))
def test_whatever_happens_to_a_case_that_is_executed_twice_it_has_one_verdict(steps, reruns):
    fleet = lasting(policy=c.PolicySpec(max_reruns=reruns))
    assert copy_of(fleet)
    for name, pick in steps:
        if name == "stop" and pick % 3 == 0:
            fleet.do(c.StopRun("run", "stopped"))
        step(fleet, name, pick)
    heal(fleet)

    assert 0 in {case.case_index for event in fleet.of(e.CasesFinished) for case in event.cases}
    check_verdicts(fleet)
    check_as_an_earlier_version_reads_it(fleet)
