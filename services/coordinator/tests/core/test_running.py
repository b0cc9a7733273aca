from dataclasses import replace

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.outcomes import Cause, GroupState, Outcome, RunState, RunVerdict
from crossfleet.matching.model import Request
from services.coordinator.tests.core.fleet import Fleet

IDS = tuple(f"tests/test_{file}.py::test_{number}" for file in "abc" for number in range(20))


def collected(ids=IDS, slots=2, **submit):
    fleet = Fleet()
    fleet.submit(**submit)
    fleet.join(slots=slots)
    (allocation,) = fleet.place()
    fleet.collect(allocation, ids)
    return fleet


def test_a_run_goes_from_submission_to_its_verdict():
    fleet = collected()
    fleet.work()

    (finished,) = fleet.of(e.RunFinished)
    assert finished.verdict is RunVerdict.PASSED
    verdicts = [case.case_index for event in fleet.of(e.CasesFinished) for case in event.cases]
    assert sorted(verdicts) == list(range(len(IDS)))
    assert fleet.state.runs["run"].forgettable


def test_every_target_of_the_matrix_has_its_own_verdicts():
    fleet = Fleet()
    fleet.submit(cases=("a", "b"), targets=("x", "y"))
    fleet.join(slots=4)
    fleet.work()

    assert {event.group_id for event in fleet.of(e.GroupFinished)} == {"run/x", "run/y"}
    assert len([case for event in fleet.of(e.CasesFinished) for case in event.cases]) == 4


def test_the_same_request_answers_the_first_run_and_another_content_is_refused():
    fleet = Fleet()
    first = fleet.submit("run-1", ("a",), request_id="same")
    again = fleet.submit("run-2", ("a",), request_id="same")
    other = fleet.submit("run-3", ("a",), request_id="same", fingerprint="other")

    assert (first.run_id, first.changed) == ("run-1", True)
    assert (again.run_id, again.changed) == ("run-1", False)
    assert other.reason == "IDEMPOTENCY_CONFLICT"
    assert list(fleet.state.runs) == ["run-1"]


def test_bad_submissions_name_the_field():
    fleet = Fleet()
    twice = fleet.submit(targets=("a", "a"))
    none = fleet.submit(targets=())
    uneven = fleet.submit(cases=("a",), estimates=(1.0, 2.0))

    assert [one.field for one in (twice, none, uneven)] == ["spec.targets[1].name", "spec.targets", "estimates"]
    assert not fleet.events


def test_the_first_result_of_a_case_counts_and_resent_reports_change_nothing():
    fleet = collected()
    attempt = fleet.live()[0]
    fleet.report("w1", fleet.results(attempt, Outcome.PASSED))
    before = len(fleet.events)
    answer = fleet.report("w1", fleet.results(attempt, Outcome.FAILED))

    assert answer.stale == ()
    assert len(fleet.events) == before
    fleet.report("w1", c.AttemptFinished(attempt.attempt_id, Cause.DONE))
    ended = len(fleet.of(e.AttemptEnded))
    fleet.report("w1", fleet.results(attempt, Outcome.FAILED), c.AttemptFinished(attempt.attempt_id, Cause.DONE))
    assert len(fleet.of(e.AttemptEnded)) == ended
    assert fleet.state.groups["run/default"].counts[Outcome.FAILED] == 0


def test_another_workers_reports_do_not_touch_an_attempt():
    fleet = collected()
    fleet.join("w2", session="s2")
    attempt = fleet.live()[0]
    fleet.report("w2", fleet.results(attempt, Outcome.FAILED), c.AttemptFinished(attempt.attempt_id, Cause.DONE))

    assert attempt.attempt_id in fleet.state.attempts
    assert not fleet.of(e.CasesFinished)


def test_cases_that_show_during_execution_are_added_once():
    fleet = Fleet()
    fleet.submit(cases=("command",), runner="command")
    fleet.join(runners=("command",))
    fleet.place()
    (attempt,) = fleet.live()
    added = tuple(c.CaseOutcome(-1, Outcome.PASSED, 0.1, added_case_id=name) for name in ("x", "y", "x"))
    fleet.report("w1", c.AttemptResults(attempt.attempt_id, added))
    fleet.report("w1", c.AttemptResults(attempt.attempt_id, added))
    fleet.finish(attempt)

    group = fleet.state.groups["run/default"]
    assert group.counts[Outcome.PASSED] == 3
    assert [group.case_id(index) for index in range(3)] == ["command", "x", "y"]
    assert group.state is GroupState.FINISHED


def test_a_slot_never_holds_more_than_two_attempts_and_is_fed_when_one_ends():
    fleet = collected(policy=c.PolicySpec(max_cases_per_task=1), slots=1)
    for _ in range(5):
        fleet.do(c.WantTasks("w1", "a1", (0,)))
    assert len(fleet.live()) == 2

    fleet.finish(fleet.live()[0])
    assert len(fleet.live()) == 2


def test_the_cut_that_empties_the_queue_says_last_and_other_slots_are_released():
    fleet = collected(ids=IDS[:2])
    first, second = fleet.live()
    tasks = [task for event in fleet.of(e.TasksAssigned) for task in event.tasks]
    fleet.do(c.WantTasks("w1", "a1", (first.slot,)))

    assert [task.last for task in tasks] == [False, True]
    (released,) = fleet.of(e.SlotsReleased)
    assert released.slots == (first.slot,)
    assert second.slot not in released.slots


def test_the_failure_limit_stops_the_run_and_revokes_what_is_running():
    fleet = collected(policy=c.PolicySpec(max_failures=2))
    first, second = fleet.live()
    fleet.report("w1", fleet.results(first, Outcome.FAILED, indices=first.cases[:2]))

    (finished,) = fleet.of(e.RunFinished)
    assert finished.verdict is RunVerdict.FAILED
    assert finished.cause == "stopped after 2 failures"
    revoked = {one for event in fleet.of(e.AttemptsRevoked) for one in event.attempt_ids}
    assert revoked == {first.attempt_id, second.attempt_id}
    late = fleet.report("w1", c.AttemptResults(second.attempt_id, (c.CaseOutcome(second.cases[0], Outcome.PASSED, 1),)))
    assert late.stale == (second.attempt_id,)


def test_a_cancelled_run_ends_at_once_and_a_finished_one_stays_as_it_is():
    fleet = collected()
    assert fleet.do(c.StopRun("run", "asked by ann")).changed
    assert not fleet.do(c.StopRun("run", "again")).changed

    group = fleet.state.groups["run/default"]
    assert group.counts[Outcome.CANCELLED] == len(IDS)
    assert fleet.state.runs["run"].verdict is RunVerdict.CANCELLED
    assert fleet.do(c.StopRun("nothing", "x")).reason == "RUN_NOT_FOUND"
    fleet.close_what_is_closing()
    assert not fleet.state.allocations


def test_a_run_over_its_time_limit_is_stopped():
    fleet = collected(policy=c.PolicySpec(run_timeout=60))
    fleet.do(c.PassTime())
    assert fleet.state.runs["run"].state is RunState.RUNNING

    fleet.now += 60
    fleet.do(c.PassTime())
    assert fleet.state.runs["run"].verdict is RunVerdict.CANCELLED
    assert "time limit of 60 s" in fleet.state.runs["run"].cause


def test_a_target_that_nothing_satisfies_fails_after_the_fleet_has_settled():
    never = c.ApplyPlan("p", waiting=(c.WaitingReason("run/default", True, "selector", "no device has arch == 'x'"),))
    fleet = Fleet()
    fleet.submit(cases=("a",), request=Request(runner="pytest"))
    fleet.do(never)
    assert not fleet.of(e.GroupFinished), "no worker is known yet"
    fleet.join()
    fleet.do(c.PassTime())
    assert not fleet.of(e.GroupFinished)
    fleet.now += 3
    fleet.do(c.PassTime())

    (failed,) = fleet.of(e.GroupFinished)
    assert failed.failed
    assert "no device has arch" in failed.cause
    assert fleet.of(e.RunFinished)[0].verdict is RunVerdict.INFRASTRUCTURE


def test_a_target_does_not_fail_while_a_worker_still_looks_for_its_devices_nor_before_what_it_found_was_seen():
    fleet = Fleet()
    fleet.submit(cases=("a",))
    fleet.join()
    worker = fleet.state.workers["w1"]
    fleet.do(c.WorkerChanged("w1", worker.session_id, replace(worker.reported, looking=True), b""))
    fleet.do(c.ApplyPlan("p", waiting=(c.WaitingReason("run/default", True, "selector", "no gpu"),)))
    fleet.now += 30
    fleet.do(c.PassTime())
    assert not fleet.of(e.GroupFinished)
    fleet.do(c.WorkerChanged("w1", worker.session_id, replace(worker.reported, looking=False), b""))
    fleet.do(c.PassTime())
    assert not fleet.of(e.GroupFinished), "nobody has planned with its devices yet"
    fleet.now += 3
    fleet.do(c.PassTime())
    assert fleet.of(e.GroupFinished)


def test_a_target_that_nothing_satisfies_waits_where_that_was_asked_for():
    fleet = Fleet()
    fleet.submit(cases=("a",), policy=c.PolicySpec(fail_unsatisfiable=False))
    fleet.join()
    fleet.do(c.ApplyPlan("p", waiting=(c.WaitingReason("run/default", True, "selector", "none"),)))
    fleet.now += 1_000
    fleet.do(c.PassTime())

    assert not fleet.of(e.GroupFinished)
    assert fleet.state.groups["run/default"].waiting_text == "none"
