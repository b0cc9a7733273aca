import pytest

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.outcomes import RunVerdict
from crossfleet.coordinator.core.schedule import (
    CreateSchedule,
    DeleteSchedule,
    Missed,
    Overlap,
    PauseSchedule,
    Schedule,
    ScheduleCreated,
    TimesCame,
)
from crossfleet.matching.model import Request
from services.coordinator.tests.core.fleet import Fleet


def schedule(overlap=Overlap.SKIP, missed=Missed.ONCE, **more):
    return Schedule("s1", "nightly", "p", "0 3 * * *", "UTC", missed, overlap, 1.0, 100.0, **more)


def fleet_with(overlap=Overlap.SKIP, missed=Missed.ONCE):
    fleet = Fleet()
    fleet.join()
    fleet.do(CreateSchedule(schedule(overlap, missed), b"spec"))
    return fleet


def now(fleet):
    return fleet.state.schedules["nightly"]


def come(fleet, *times):
    """Times come, and the first that waits is submitted if it may be."""
    fleet.do(TimesCame("nightly", "s1", now(fleet).next_at, times, times[-1] + 100.0))
    submit_waiting(fleet)


def submit_waiting(fleet):
    if now(fleet).waiting:
        at = now(fleet).waiting[0]
        fleet.do(c.SubmitScheduled("nightly", "s1", at, submission(at)))


def submission(at, **more):
    return c.SubmitRun(
        request_id=f"schedule-s1-{at:g}",
        fingerprint="f",
        run_id=f"run-{at:g}",
        project="p",
        suite="s",
        runner="pytest",
        priority=0,
        targets=(c.TargetSpec("default", "", more.get("request", Request())),),
        policy=c.PolicySpec(),
        seed=1,
        spec=b"spec",
        cases=("one",),
    )


def runs(fleet):
    return [event.run_id for event in fleet.of(e.RunSubmitted)]


def end_run(fleet):
    fleet.work()


def test_a_time_makes_one_run_whoever_asks_and_how_often():
    fleet = fleet_with()
    for _ in range(2):
        fleet.do(TimesCame("nightly", "s1", 100.0, (100.0,), 200.0))
    for _ in range(2):
        fleet.do(c.SubmitScheduled("nightly", "s1", 100.0, submission(100.0)))

    assert runs(fleet) == ["run-100"]
    assert (now(fleet).last_run, now(fleet).last_at, now(fleet).next_at) == ("run-100", 100.0, 200.0)


def test_a_time_that_comes_while_the_run_before_goes_on_is_left_out():
    fleet = fleet_with(Overlap.SKIP)
    come(fleet, 100.0)
    come(fleet, 200.0)
    assert runs(fleet) == ["run-100"]
    assert now(fleet).note == "a time was left out: run-100 was not over"
    end_run(fleet)
    come(fleet, 300.0)
    assert runs(fleet) == ["run-100", "run-300"]


def test_of_times_that_wait_for_the_run_before_the_last_one_has_its_turn():
    fleet = fleet_with(Overlap.QUEUE)
    for at in (100.0, 200.0, 300.0):
        come(fleet, at)
    assert runs(fleet) == ["run-100"]
    end_run(fleet)
    submit_waiting(fleet)
    assert runs(fleet) == ["run-100", "run-300"]


def test_each_missed_time_is_made_up_for_one_after_the_other():
    fleet = fleet_with(Overlap.QUEUE, Missed.ALL)
    come(fleet, 100.0, 200.0, 300.0)
    for _ in range(3):
        end_run(fleet)
        submit_waiting(fleet)
    assert runs(fleet) == ["run-100", "run-200", "run-300"]
    verdicts = [event.verdict for event in fleet.of(e.RunFinished)]
    assert verdicts == [RunVerdict.PASSED] * 3


def test_the_run_before_is_cancelled_for_the_next_one():
    fleet = fleet_with(Overlap.CANCEL)
    come(fleet, 100.0)
    come(fleet, 200.0)
    assert runs(fleet) == ["run-100", "run-200"]
    (ended,) = fleet.of(e.RunFinished)
    assert (ended.run_id, ended.verdict) == ("run-100", RunVerdict.CANCELLED)
    assert ended.cause == "the next run of schedule nightly was due"


def test_a_run_that_cannot_be_submitted_is_noted_and_the_schedule_goes_on():
    fleet = fleet_with()
    fleet.do(TimesCame("nightly", "s1", 100.0, (100.0,), 200.0))
    refused = submission(100.0, request=Request(semaphores=(("seat", 1),)))
    fleet.do(c.SubmitScheduled("nightly", "s1", 100.0, refused))
    assert now(fleet).note.startswith("a time made no run: no semaphore 'seat'")
    come(fleet, 200.0)
    assert runs(fleet) == ["run-200"]


def test_a_paused_schedule_makes_no_run_and_goes_on_with_its_next_time():
    fleet = fleet_with()
    fleet.do(TimesCame("nightly", "s1", 100.0, (100.0,), 200.0))
    fleet.do(PauseSchedule("nightly", True, 0.0))
    fleet.do(c.SubmitScheduled("nightly", "s1", 100.0, submission(100.0)))
    assert runs(fleet) == []
    fleet.do(PauseSchedule("nightly", False, 500.0))
    assert (now(fleet).waiting, now(fleet).next_at) == ((), 500.0)
    come(fleet, 500.0)
    assert runs(fleet) == ["run-500"]


def test_a_name_is_given_away_once_unless_the_other_is_replaced():
    fleet = fleet_with()
    fleet.do(CreateSchedule(schedule(), b"spec"))
    assert len(fleet.of(ScheduleCreated)) == 1
    assert fleet.do(CreateSchedule(schedule(), b"another")).reason == "ALREADY_EXISTS"
    fleet.do(CreateSchedule(schedule(), b"another", replace=True))
    assert fleet.state.schedule_specs == {"nightly": b"another"}


def test_what_was_decided_of_a_schedule_that_was_replaced_meanwhile_counts_for_nothing():
    fleet = fleet_with()
    fleet.do(TimesCame("nightly", "another", 100.0, (100.0,), 200.0))
    fleet.do(c.SubmitScheduled("nightly", "another", 100.0, submission(100.0)))
    assert (runs(fleet), now(fleet).next_at) == ([], 100.0)


@pytest.mark.parametrize("command", [PauseSchedule("nobody", True, 0.0), DeleteSchedule("nobody")])
def test_a_schedule_that_does_not_exist_is_named(command):
    assert fleet_with().do(command).reason == "SCHEDULE_NOT_FOUND"
