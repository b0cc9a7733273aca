"""Slots of which a group has no more use are given back singly: to whom, when, and never under anything that counts."""

from dataclasses import replace

import pytest

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core import spare
from crossfleet.coordinator.core.evolve import evolve
from crossfleet.coordinator.core.last_cases import SlotsGivenBack
from crossfleet.coordinator.core.outcomes import Cause, Outcome, RerunPlacement
from crossfleet.coordinator.core.semaphore import SetSemaphore
from crossfleet.coordinator.core.view import free_of
from crossfleet.matching.model import Device, DeviceRequest, Request
from services.coordinator.tests.core.fleet import Fleet

SECONDS = {"estimates": (1.0,) * 3, "policy": c.PolicySpec(max_cases_per_task=1)}


def hanging(slots=3, cases=3, *, waiting=True, request=None, policy=None, **worker) -> Fleet:
    """A run with a case on each of its slots, of which all but the first have ended; another run waits."""
    fleet = Fleet()
    fleet.join("w1", slots=slots, **worker)
    policy = replace(policy or c.PolicySpec(), max_cases_per_task=1)
    fleet.submit("hanging", [f"case-{n}" for n in range(cases)], request=request, policy=policy)
    fleet.place()
    if waiting:
        fleet.submit("other", ["one", "two"])
    for attempt in fleet.live()[1:]:
        fleet.finish(attempt)
    return fleet


def pass_time(fleet: Fleet, seconds: float = 2.0) -> None:
    fleet.now += seconds
    fleet.do(c.PassTime())


def only(fleet: Fleet):
    return next(iter(fleet.state.allocations.values()))


def test_who_waits_gets_the_slots_for_which_a_hanging_case_leaves_nothing():
    fleet = hanging()
    pass_time(fleet)
    allocation = only(fleet)

    assert list(allocation.slots) == [0]
    assert list(allocation.leaving) == [1, 2]
    assert not fleet.place()

    fleet.let_go()
    assert free_of(fleet.state, fleet.state.workers["w1"]).slots == 2
    assert len(fleet.place()) == 1
    other = list(fleet.state.allocations.values())[-1]
    assert sorted(other.slots) == [1, 2]
    fleet.work()
    assert all(run.forgettable for run in fleet.state.runs.values())


def test_nothing_is_given_back_while_nobody_could_use_it():
    fleet = hanging(waiting=False)
    pass_time(fleet, 60.0)
    assert len(only(fleet).slots) == 3

    fleet.submit("elsewhere", ["one"], request=Request(runner="go"))
    pass_time(fleet)
    assert len(only(fleet).slots) == 3

    fleet.submit("here", ["one"])
    pass_time(fleet)
    assert len(only(fleet).slots) == 1


def test_slots_that_end_within_a_moment_of_each_other_are_not_given_back_singly():
    fleet = hanging()
    pass_time(fleet, 0.5)

    assert len(only(fleet).slots) == 3


def test_a_worker_that_cannot_give_slots_back_singly_is_not_asked_to():
    fleet = hanging(gives_back_slots=False)
    pass_time(fleet)

    assert not fleet.of(SlotsGivenBack)


@pytest.mark.parametrize("placement", [RerunPlacement.SLOT, RerunPlacement.HOST])
def test_a_slot_is_kept_for_each_case_that_may_be_run_again(placement):
    fleet = hanging(slots=5, cases=5, policy=c.PolicySpec(max_reruns=1, rerun_placement=placement))
    pass_time(fleet)
    assert len(only(fleet).slots) == 2

    fleet.finish(fleet.live()[0], outcome=Outcome.FAILED)
    assert fleet.live()[0].slot != 0


def test_cases_that_come_back_all_the_same_get_slots_again():
    fleet = hanging()
    pass_time(fleet)
    fleet.let_go()
    fleet.do(c.WorkerLost("w1", "lost"))
    fleet.join("w1", slots=3, incarnation="i2", session="s2")
    fleet.work()

    assert fleet.state.runs["hanging"].forgettable


def test_an_allocation_that_is_taken_back_gives_up_each_slot_as_it_gets_idle():
    fleet = hanging(cases=9, waiting=False)
    fleet.do(c.ApplyPlan("plan", revoke=("a1",)))
    for attempt in fleet.live()[1:]:
        fleet.finish(attempt)
    pass_time(fleet, 0.1)

    assert list(only(fleet).slots) == [0]
    fleet.let_go()
    assert free_of(fleet.state, fleet.state.workers["w1"]).slots == 2


def test_the_slot_whose_devices_the_collecting_process_saw_stays():
    devices = tuple(Device(f"gpu{n}", "gpu", {}) for n in range(3))
    request = Request(devices=(DeviceRequest("gpu", "", 1),))
    fleet = hanging(request=request, devices=devices)
    first, *_ = fleet.live()
    fleet.finish(first)
    assert not fleet.state.allocations["a1"].live

    fleet = hanging(cases=4, request=request, devices=devices)
    for attempt in fleet.live():
        if attempt.slot == 0:
            fleet.finish(attempt)
    pass_time(fleet)
    allocation = only(fleet)
    assert 0 in allocation.slots
    assert free_of(fleet.state, fleet.state.workers["w1"]).devices == set()

    fleet.let_go()
    left = {one for ids in allocation.device_ids for one in ids}
    assert len(left) == len(allocation.slots)
    assert free_of(fleet.state, fleet.state.workers["w1"]).devices == {f"gpu{n}" for n in range(3)} - left


def test_its_part_of_a_semaphore_goes_with_the_slot():
    fleet = Fleet()
    fleet.join("w1", slots=2)
    fleet.join("w2", slots=1, session="s2")
    fleet.do(SetSemaphore("seat", 2))
    seat = Request(semaphores=(("seat", 1),))
    fleet.submit("hanging", ["a", "b"], request=seat, policy=c.PolicySpec(max_cases_per_task=1))
    fleet.place()
    fleet.submit("other", ["one"], request=seat)
    fleet.finish(fleet.live()[1])
    assert fleet.state.groups["other/default"].held_back == "semaphore"

    pass_time(fleet)
    assert fleet.state.semaphores["seat"].held == 2
    fleet.let_go()
    assert fleet.state.semaphores["seat"].held == 1
    assert not fleet.state.groups["other/default"].held_back
    assert fleet.place()


@pytest.mark.parametrize("request_", [Request(exclusive=True), Request(gang=1, slots_min=3, exclusive=True)])
def test_who_has_a_worker_for_himself_keeps_it_whole(request_):
    fleet = hanging(request=request_)
    pass_time(fleet)

    assert not fleet.of(SlotsGivenBack)


def test_a_gang_is_never_made_smaller():
    fleet = Fleet()
    fleet.join("w1", slots=2)
    fleet.join("w2", slots=2, session="s2")
    fleet.submit("gang", ["a", "b", "c", "d"], request=Request(gang=2, slots_min=2), policy=SECONDS["policy"])
    both = tuple(c.ProposedAllocation("gang/default", name, 2, gang_id="g") for name in ("w1", "w2"))
    fleet.do(c.ApplyPlan("plan", both))
    fleet.submit("other", ["one"])
    for attempt in fleet.live()[1:]:
        fleet.finish(attempt)
    pass_time(fleet)

    assert not fleet.of(SlotsGivenBack)


def test_what_got_lost_on_the_way_is_learnt_from_the_next_hello():
    fleet = hanging()
    pass_time(fleet)
    attempt = fleet.live()[0]

    fleet.join("w1", slots=3, session="s2", held=[c.HeldAllocation("a1", (attempt.attempt_id,), (), (0, 2))])
    assert list(only(fleet).leaving) == [2]
    fleet.join("w1", slots=3, session="s3", held=[c.HeldAllocation("a1", (attempt.attempt_id,), (), (0,))])
    assert not only(fleet).leaving
    assert free_of(fleet.state, fleet.state.workers["w1"]).slots == 2


def test_a_worker_says_nothing_of_slots_by_leaving_them_out_where_it_gives_none_back():
    fleet = hanging()
    pass_time(fleet)
    attempt = fleet.live()[0]
    fleet.join("w1", slots=3, session="s2", held=[c.HeldAllocation("a1", (attempt.attempt_id,), ())])

    assert list(only(fleet).leaving) == [1, 2]


def test_what_is_said_twice_or_by_others_changes_nothing():
    fleet = hanging()
    fleet.join("w2", slots=1, session="s2")
    pass_time(fleet)
    fleet.do(c.SlotsClosed("w2", "a1", (1, 2)))
    fleet.do(c.SlotsClosed("w1", "a1", (0, 7)))
    fleet.do(c.SlotsClosed("w1", "a77", (1,)))
    assert list(only(fleet).leaving) == [1, 2]

    fleet.do(c.SlotsClosed("w1", "a1", (1,)))
    fleet.do(c.SlotsClosed("w1", "a1", (1,)))
    assert list(only(fleet).leaving) == [2]
    assert len([event for event in fleet.of(SlotsGivenBack) if event.gone]) == 1


def test_numbers_of_a_runs_slots_stay_apart_when_some_were_given_back():
    fleet = hanging(slots=4, cases=4)
    pass_time(fleet)
    fleet.let_go()
    fleet.join("w2", slots=2, session="s2")
    fleet.finish(fleet.live()[0], Cause.OUT_OF_MEMORY, indices=())
    fleet.place()
    mine = [one for one in fleet.state.allocations.values() if one.run_id == "hanging"]

    assert min((one.first_number, one.next_number) for one in mine) == (0, 4)
    assert all(one.first_number >= 4 for one in mine if one.allocation_id != "a1")


def test_what_a_leader_that_knows_of_no_such_thing_did_meanwhile_can_be_taken_over():
    fleet = hanging()
    pass_time(fleet)
    fleet.let_go()
    allocation = only(fleet)
    task = e.AssignedTask(77, 77, 2, (), last=False)
    evolve(fleet.state, e.SlotsWanting("hanging", "a1", (1,)))
    group = fleet.state.groups["hanging/default"]
    fleet.finish(fleet.live()[0], Cause.NETWORK, indices=())
    live = fleet.live()[0]
    evolve(
        fleet.state,
        e.AttemptEnded("hanging", group.group_id, live.attempt_id, Cause.PREEMPTED, "", live.cases, False, 0, 1.0),
    )
    evolve(
        fleet.state,
        e.TasksAssigned("hanging", group.group_id, "a1", "w1", (replace(task, case_indices=live.cases),), 1.0),
    )

    assert list(allocation.slots) == [0, 2]
    assert allocation.gone == {1}
    assert free_of(fleet.state, fleet.state.workers["w1"]).slots == 1


def test_however_many_wait_everybody_is_looked_at_in_turn(monkeypatch):
    monkeypatch.setattr(spare, "_MOST_LOOKS", 2)
    fleet = Fleet()
    for number in range(5):
        fleet.join(f"w{number}", slots=2, labels={"number": f"{number}"})
    fleet.submit("hanging", [f"case-{n}" for n in range(10)], policy=c.PolicySpec(max_cases_per_task=1))
    fleet.place()
    for attempt in fleet.live():
        if attempt.slot:
            fleet.finish(attempt)
    fleet.submit("other", ["one"], request=Request(selector="worker.labels['number'] == '3'"))
    for _ in range(3):
        pass_time(fleet, 0.5 if fleet.of(SlotsGivenBack) else 1.0)

    assert {one.worker_id for one in fleet.of(SlotsGivenBack)} == {"w3"}
