from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.outcomes import Cause, Outcome, RunVerdict, WorkerState
from services.coordinator.tests.core.fleet import Fleet

IDS = tuple(f"case-{number}" for number in range(40))


def running(workers=2, slots=1, **submit):
    fleet = Fleet()
    fleet.submit(cases=IDS, **submit)
    for number in range(workers):
        fleet.join(f"w{number + 1}", slots=slots, session=f"s{number + 1}", incarnation=f"i{number + 1}")
    fleet.place()
    return fleet


def held(fleet, worker_id="w1", attempts=None):
    """What the worker's shim would say that it holds."""
    return tuple(
        c.HeldAllocation(one, tuple(a.attempt_id for a in fleet.live(worker_id)) if attempts is None else attempts, ())
        for one in fleet.state.workers[worker_id].allocations
    )


def test_the_cases_of_a_lost_worker_run_elsewhere():
    fleet = running()
    lost = {index for attempt in fleet.live("w1") for index in attempt.cases}
    fleet.do(c.WorkerLost("w1", "lease expired"))
    assert fleet.state.workers["w1"].state is WorkerState.LOST
    assert {event.cause for event in fleet.of(e.AttemptEnded)} == {Cause.HOST_LOST}
    fleet.work()

    assert fleet.of(e.RunFinished)[0].verdict is RunVerdict.PASSED
    ran = [c_.worker_id for event in fleet.of(e.CasesFinished) for c_ in event.cases if c_.case_index in lost]
    assert set(ran) == {"w2"}


def test_results_of_a_lost_worker_are_answered_as_stale():
    fleet = running()
    attempt = fleet.live("w1")[0]
    results = fleet.results(attempt)
    fleet.do(c.WorkerLost("w1", "lease expired"))
    answer = fleet.report("w1", results)

    assert answer.stale == (attempt.attempt_id,)
    assert not fleet.of(e.CasesFinished)


def test_a_case_that_loses_its_host_too_often_ends_as_not_run():
    fleet = running(workers=1, policy=c.PolicySpec(max_attempts=2))
    suspects = set(fleet.live()[0].cases)
    fleet.do(c.WorkerLost("w1", "gone"))
    fleet.join("w1", slots=1, incarnation="i2")
    fleet.place()
    again = set(fleet.live()[0].cases)
    assert again == suspects
    fleet.do(c.WorkerLost("w1", "gone again"))

    group = fleet.state.groups["run/default"]
    assert {index for index, outcome in enumerate(group.outcomes) if outcome == Outcome.NOT_RUN} >= suspects


def test_a_crash_settles_its_case_and_requeues_the_rest_at_no_cost():
    fleet = running(workers=1)
    attempt = fleet.live()[0]
    crashed, *rest = attempt.cases
    fleet.finish(attempt, Cause.CRASHED, Outcome.CRASHED, indices=(crashed,))

    (ended,) = fleet.of(e.AttemptEnded)
    assert (ended.left, ended.charged) == (tuple(rest), False)
    assert fleet.state.groups["run/default"].counts[Outcome.CRASHED] == 1
    fleet.work()
    assert fleet.of(e.RunFinished)[0].verdict is RunVerdict.FAILED


def test_a_crash_without_any_result_costs_only_the_case_in_flight_a_try():
    fleet = running(workers=1, policy=c.PolicySpec(max_attempts=1))
    attempt = fleet.live()[0]
    fleet.finish(attempt, Cause.CRASHED, indices=())

    group = fleet.state.groups["run/default"]
    assert group.counts[Outcome.NOT_RUN] == 1
    assert group.outcomes[attempt.cases[0]] == Outcome.NOT_RUN


def test_a_preemption_costs_no_try():
    fleet = running(workers=1, policy=c.PolicySpec(max_attempts=1))
    for _ in range(4):
        fleet.finish(fleet.live()[0], Cause.PREEMPTED, indices=())

    group = fleet.state.groups["run/default"]
    assert not group.tries
    assert not group.counts[Outcome.NOT_RUN]


def test_a_second_worker_of_the_same_name_is_refused_while_the_first_lives():
    fleet = running()
    refused = fleet.join("w1", incarnation="other", session="s9")
    assert refused.reason == "WORKER_IDENTITY_IN_USE"

    fleet.do(c.WorkerLost("w1", "lease expired"))
    fleet.join("w1", incarnation="other", session="s9")
    assert fleet.state.workers["w1"].incarnation == "other"


def test_an_agent_that_comes_back_keeps_what_its_shim_still_runs():
    fleet = running()
    attempts = [attempt.attempt_id for attempt in fleet.live("w1")]
    answer = fleet.join("w1", slots=1, incarnation="i1", session="s8", held=held(fleet))

    assert answer.keep == ("a1",)
    assert (answer.cancel, answer.undelivered) == ((), ())
    assert [attempt.attempt_id for attempt in fleet.live("w1")] == attempts
    fleet.work()
    assert fleet.of(e.RunFinished)[0].verdict is RunVerdict.PASSED


def test_an_allocation_that_the_worker_no_longer_holds_is_lost():
    fleet = running()
    fleet.join("w1", slots=1, incarnation="i1", session="s8")

    (closed,) = fleet.of(e.AllocationClosed)
    assert closed.cause is Cause.HOST_LOST
    assert not fleet.live("w1")
    fleet.work()
    assert fleet.of(e.RunFinished)[0].verdict is RunVerdict.PASSED


def test_held_things_that_no_longer_count_are_named():
    fleet = running()
    fleet.do(c.StopRun("run", "x"))
    stale = (c.HeldAllocation("a1", (1,), ()), c.HeldAllocation("a77", (99,), ()))
    answer = fleet.join("w1", slots=1, incarnation="i1", session="s8", held=stale)

    assert answer.keep == ()
    assert set(answer.cancel) == {1, 99}


def test_an_assignment_that_got_lost_costs_nothing_once_the_journal_is_resent():
    fleet = running(workers=1)
    attempt = fleet.live()[0]
    answer = fleet.join("w1", slots=1, incarnation="i1", session="s8", held=held(fleet, attempts=()))
    assert answer.undelivered == (attempt.attempt_id,)
    fleet.do(c.AttemptsMissing("w1", "s8", answer.undelivered))

    (ended,) = fleet.of(e.AttemptEnded)
    assert (ended.charged, set(ended.left)) == (False, set(attempt.cases))
    assert fleet.live(), "the idle slot is fed again"


def test_news_of_an_earlier_session_is_ignored_or_refused():
    fleet = running()
    fleet.join("w1", slots=1, incarnation="i1", session="s8", held=held(fleet))
    fleet.do(c.WorkerSilent("w1", "s1"))
    assert fleet.state.workers["w1"].state is WorkerState.READY
    refused = fleet.do(c.AttemptsMissing("w1", "s1", (1,)))
    assert refused.reason == "SESSION_REPLACED"


def test_a_suspect_worker_gets_nothing_new_until_it_is_heard():
    fleet = Fleet()
    fleet.submit(cases=IDS)
    fleet.join(slots=1)
    fleet.do(c.WorkerSilent("w1", "s1"))
    refused = fleet.do(c.ApplyPlan("p", (c.ProposedAllocation("run/default", "w1", 1),))).refused
    assert [one.reason for one in refused] == ["WORKER_NOT_SCHEDULABLE"]

    fleet.do(c.WorkerHeard("w1", "s1"))
    assert fleet.place() == ("a1",)


def test_a_silent_worker_is_fed_when_it_is_heard_again():
    fleet = running(workers=1, policy=c.PolicySpec(max_cases_per_task=1))
    fleet.do(c.WorkerSilent("w1", "s1"))
    first = fleet.live()[0]
    fleet.do(c.WantTasks("w1", "a1", (0,)))
    assert fleet.live() == [first]
    fleet.do(c.WorkerHeard("w1", "s1"))

    assert len(fleet.live()) == 2
    fleet.do(c.WorkerSilent("w1", "s1"))
    for attempt in fleet.live():
        fleet.finish(attempt)
    assert fleet.live() == []
    fleet.do(c.WorkerHeard("w1", "s1"))
    assert len(fleet.live()) == 1


def test_a_drained_worker_finishes_its_tasks_and_gives_its_slots_back():
    fleet = running()
    mine = fleet.live("w1")
    fleet.do(c.DrainWorker("w1", True, "new disk"))
    for attempt in mine:
        fleet.finish(attempt)

    assert fleet.live("w1") == []
    assert fleet.state.allocations["a1"].closing
    fleet.close_what_is_closing()
    fleet.work()
    assert fleet.of(e.RunFinished)[0].verdict is RunVerdict.PASSED


def test_a_drain_outlives_sessions_and_lets_running_work_end():
    fleet = running(workers=1)
    fleet.do(c.DrainWorker("w1", True, "new disk"))
    assert fleet.state.workers["w1"].state is WorkerState.DRAINING
    assert fleet.live()
    fleet.do(c.WorkerLost("w1", "rebooted"))
    assert fleet.join("w1", slots=1, incarnation="i2").drained
    assert fleet.place() == ()

    fleet.do(c.DrainWorker("w1", False, ""))
    assert fleet.place()
    assert fleet.do(c.DrainWorker("nobody", True, "")).reason == "WORKER_NOT_FOUND"


def test_what_a_worker_says_of_itself_ends_with_its_incarnation():
    fleet = running(workers=1)
    fleet.do(c.WorkerLeaving("w1", "s1", "SIGTERM"))
    states = [fleet.state.workers["w1"].state]
    assert fleet.state.allocations["a1"].closing
    fleet.join("w1", slots=1, incarnation="i1", session="s2", held=held(fleet))
    states.append(fleet.state.workers["w1"].state)
    fleet.do(c.WorkerLost("w1", "gone"))
    fleet.join("w1", slots=1, incarnation="i2")
    states.append(fleet.state.workers["w1"].state)

    assert states == [WorkerState.DRAINING, WorkerState.DRAINING, WorkerState.READY]
    assert fleet.state.workers["w1"].cause == ""
    assert fleet.place()


def test_a_worker_that_a_person_drained_comes_back_drained_however_it_left():
    fleet = running(workers=1)
    fleet.do(c.DrainWorker("w1", True, "new disk"))
    fleet.do(c.WorkerLeaving("w1", "s1", "SIGTERM"))
    fleet.do(c.WorkerLost("w1", "gone"))
    fleet.join("w1", slots=1, incarnation="i2")

    assert fleet.state.workers["w1"].state is WorkerState.DRAINING


def test_an_allocation_whose_runner_dies_is_given_up_and_its_cases_come_back():
    fleet = running(workers=1)
    fleet.report("w1", c.AllocationEnded("a1", Cause.DONE, "the zygote was killed"))

    (closed,) = fleet.of(e.AllocationClosed)
    assert closed.cause is Cause.ENVIRONMENT
    fleet.work()
    assert fleet.of(e.RunFinished)[0].verdict is RunVerdict.PASSED
