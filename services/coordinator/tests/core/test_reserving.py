from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.reservation import CancelReservation, MakeReservation, Reservation
from crossfleet.coordinator.core.reserving import keeper
from services.coordinator.tests.core.fleet import Fleet

IDS = tuple(f"case-{number}" for number in range(40))


def fleet_of(*names, slots=2):
    fleet = Fleet()
    for name in names:
        fleet.join(name, slots=slots, session=f"s-{name}", labels={"pool": name[0]})
    return fleet


def reserve(fleet, name="r1", *, after=0.0, seconds=100.0, workers=0, project="ml", selector=""):
    begin = fleet.now + after
    one = Reservation(name, project, selector, workers, begin, begin + seconds, "", fleet.now)
    return fleet.do(MakeReservation(one))


def pass_time(fleet, seconds=0.0):
    fleet.now += seconds
    fleet.do(c.PassTime())


def kept(fleet, name="r1"):
    return fleet.state.reservations[name].worker_ids


def propose(fleet, run_id, worker, slots=1):
    return fleet.do(c.ApplyPlan("plan", (c.ProposedAllocation(f"{run_id}/default", worker, slots),)))


def test_kept_workers_work_for_their_project_alone():
    fleet = fleet_of("a1", "b1")
    reserve(fleet, workers=1, selector='worker.labels.pool == "a"')
    fleet.submit("web", IDS, project="web")
    fleet.submit("ml", IDS, project="ml")
    assert kept(fleet) == ("a1",)
    (refused,) = propose(fleet, "web", "a1").refused
    assert (refused.reason, refused.text) == ("RESERVED", "worker a1 is reserved for project ml")
    assert propose(fleet, "ml", "a1").accepted
    assert propose(fleet, "web", "b1").accepted


def test_what_others_run_there_is_given_back_when_it_begins_and_nothing_before():
    fleet = fleet_of("a1")
    fleet.submit("web", IDS, project="web")
    propose(fleet, "web", "a1", 2)
    reserve(fleet, after=50.0)
    pass_time(fleet, 10.0)
    assert not fleet.of(e.AllocationClosing)
    pass_time(fleet, 50.0)
    assert kept(fleet) == ("a1",)
    (closing,) = fleet.of(e.AllocationClosing)
    assert closing.cause == "its worker is reserved for project ml"


def test_it_ends_in_time_or_when_it_is_cancelled():
    fleet = fleet_of("a1")
    reserve(fleet, "r1", seconds=10.0)
    pass_time(fleet, 20.0)
    reserve(fleet, "r2")
    fleet.do(CancelReservation("r2"))
    assert fleet.state.reservations == {}
    assert keeper(fleet.state, "a1") is None
    assert fleet.do(CancelReservation("r2")).reason == "RESERVATION_NOT_FOUND"


def test_a_lost_worker_is_replaced_and_idle_ones_are_taken_first():
    fleet = fleet_of("a1", "a2", "a3")
    fleet.submit("web", IDS, project="web")
    propose(fleet, "web", "a1")
    reserve(fleet, workers=2)
    assert kept(fleet) == ("a2", "a3")
    fleet.do(c.WorkerLost("a3", "gone"))
    pass_time(fleet)
    assert kept(fleet) == ("a1", "a2")


def test_a_worker_is_kept_for_one_reservation_at_a_time():
    fleet = fleet_of("a1", "a2")
    reserve(fleet, "r1", workers=1)
    reserve(fleet, "r2", project="web")
    assert (kept(fleet, "r1"), kept(fleet, "r2")) == (("a1",), ("a2",))
    fleet.do(CancelReservation("r1"))
    assert kept(fleet, "r2") == ("a1", "a2")


def test_workers_that_join_while_some_are_lacking_are_kept_within_seconds():
    fleet = fleet_of("a1")
    reserve(fleet, workers=2)
    fleet.join("a2", session="s-a2")
    for _ in range(11):
        pass_time(fleet, 0.5)
    assert kept(fleet) == ("a1", "a2")
