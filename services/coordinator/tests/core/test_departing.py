from __future__ import annotations

import pytest

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.departing import Memory, departed
from crossfleet.coordinator.core.outcomes import Cause, RunVerdict, WorkerState
from crossfleet.coordinator.core.reservation import MakeReservation, Reservation
from services.coordinator.tests.core.fleet import Fleet

HOUR = 3600.0


def memory(fleet: Fleet, *, left: float = HOUR, lost: float = 24 * HOUR, kept: float = 1000 * HOUR) -> Memory:
    return Memory(fleet.now - left, fleet.now - lost, fleet.now - kept)


def gone(fleet: Fleet, name: str = "w1", *, left: bool) -> None:
    """A worker that comes and goes."""
    fleet.join(name, session=f"s-{name}")
    if left:
        fleet.do(c.WorkerLeaving(name, f"s-{name}", f"{name} is leaving: SIGTERM"))
        fleet.do(c.WorkerLeft(name, f"s-{name}"))
    else:
        fleet.do(c.WorkerLost(name, "silent"))


def running() -> Fleet:
    fleet = Fleet()
    fleet.submit(cases=tuple(f"case-{number}" for number in range(10)))
    for name in ("w1", "w2"):
        fleet.join(name, slots=1, session=f"s-{name}")
    fleet.place()
    return fleet


def test_a_worker_that_left_with_nothing_in_hand_has_left_in_good_order():
    fleet = Fleet()
    gone(fleet, left=True)
    worker = fleet.state.workers["w1"]

    assert (worker.state, worker.has_left, worker.cause) == (WorkerState.LOST, True, "w1 is leaving: SIGTERM")
    assert worker.gone_at == fleet.now
    assert not worker.health, "nobody is blamed for leaving"


def test_a_worker_whose_last_word_was_lost_with_the_stream_has_left_when_its_lease_ends():
    fleet = Fleet()
    fleet.join("w1", session="s1")
    fleet.do(c.WorkerLeaving("w1", "s1", "SIGTERM"))
    fleet.do(c.WorkerLost("w1", "silent"))
    assert fleet.state.workers["w1"].has_left


def test_a_worker_that_goes_with_work_in_hand_is_lost_and_its_cases_run_elsewhere():
    fleet = running()
    fleet.do(c.WorkerLeaving("w1", "s-w1", "SIGTERM"))
    fleet.do(c.WorkerLeft("w1", "s-w1"))

    assert not fleet.state.workers["w1"].has_left
    assert {event.cause for event in fleet.of(e.AttemptEnded)} == {Cause.HOST_LOST}
    fleet.work()
    assert fleet.of(e.RunFinished)[0].verdict is RunVerdict.PASSED


@pytest.mark.parametrize("session", ["s-w1", "another"])
def test_the_end_of_a_stream_of_one_that_did_not_say_that_it_leaves_means_nothing(session):
    fleet = running()
    fleet.do(c.WorkerLeft("w1", session))
    assert fleet.state.workers["w1"].state is WorkerState.READY


def test_a_worker_that_comes_back_is_there_again():
    fleet = Fleet()
    gone(fleet, left=True)
    fleet.join("w1", incarnation="i2", session="s2")
    worker = fleet.state.workers["w1"]
    assert (worker.state, worker.gone_at, worker.has_left) == (WorkerState.READY, 0.0, False)


@pytest.mark.parametrize(("left", "hours"), [(True, 1.0), (False, 24.0)])
def test_who_has_gone_may_be_forgotten_after_its_time_and_not_before(left, hours):
    fleet = Fleet()
    gone(fleet, left=left)
    fleet.join("w2")
    fleet.now += hours * HOUR - 1
    assert departed(fleet.state, memory(fleet)) == []
    fleet.now += 2
    assert departed(fleet.state, memory(fleet)) == ["w1"]
    fleet.do(c.ForgetWorkers(("w1",)))
    assert set(fleet.state.workers) == {"w2"}


def test_what_people_and_quarantine_say_of_a_host_outlives_its_absence():
    fleet = Fleet()
    for name in ("drained", "doubted"):
        fleet.join(name)
    fleet.do(c.DrainWorker("drained", True, "new disk"))
    fleet.do(c.QuarantineWorker("doubted", "smells"))
    for name in ("drained", "doubted"):
        fleet.do(c.WorkerLost(name, "off"))
    fleet.now += 100 * HOUR
    assert departed(fleet.state, memory(fleet)) == []
    fleet.now += 1000 * HOUR
    assert departed(fleet.state, memory(fleet)) == ["drained", "doubted"]


def test_who_came_back_meanwhile_or_is_kept_for_somebody_is_not_forgotten():
    fleet = Fleet()
    fleet.join("kept")
    reservation = Reservation("r", "p", "", 1, fleet.now, fleet.now + 100 * HOUR, "", fleet.now, ())
    fleet.do(MakeReservation(reservation))
    fleet.do(c.WorkerLost("kept", "off"))
    gone(fleet, "back", left=True)
    fleet.now += 50 * HOUR
    assert departed(fleet.state, memory(fleet)) == ["back"]
    fleet.join("back", incarnation="i2")
    fleet.do(c.ForgetWorkers(("back", "kept", "nobody")))

    assert set(fleet.state.workers) == {"kept", "back"}
    assert not fleet.of(e.WorkerForgotten)


def test_nothing_is_remembered_of_the_hosts_of_those_that_are_forgotten():
    fleet = Fleet()
    fleet.join("w1", session="s-w1", host="h1")
    fleet.join("w2", session="s-w2", host="h1")
    for name, hosts in (("w1", {"h1": {"w2": None}}), ("w2", {})):
        fleet.do(c.WorkerLost(name, "silent"))
        fleet.do(c.ForgetWorkers((name,)))
        assert fleet.state.hosts == hosts
