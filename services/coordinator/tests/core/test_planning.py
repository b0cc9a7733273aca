from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.view import free_of, open_groups
from crossfleet.matching.model import Device, DeviceRequest, Request
from services.coordinator.tests.core.fleet import Fleet

IDS = tuple(f"case-{number}" for number in range(100))


def plan(fleet, *proposals, **more):
    return fleet.do(c.ApplyPlan("plan", tuple(c.ProposedAllocation(*one) for one in proposals), **more))


def ready(slots=4, **submit):
    fleet = Fleet()
    fleet.submit(cases=IDS, **submit)
    fleet.join(slots=slots)
    return fleet


def test_a_plan_cannot_give_a_slot_away_twice():
    fleet = ready(slots=4)
    answer = plan(fleet, ("run/default", "w1", 3), ("run/default", "w1", 2), ("run/default", "w1", 1))

    assert answer.accepted == ("a1", "a2")
    assert [(one.index, one.reason) for one in answer.refused] == [(1, "RESOURCES_UNAVAILABLE")]
    slots = [number for event in fleet.of(e.AllocationOpened) for number in event.slots]
    assert sorted(slots) == [0, 1, 2, 3]
    assert free_of(fleet.state, fleet.state.workers["w1"]).slots == 0


def test_refusals_name_their_reason():
    fleet = ready(request=Request(selector="worker.labels.site == 'berlin'"))
    answer = plan(fleet, ("run/nothing", "w1", 1), ("run/default", "nobody", 1), ("run/default", "w1", 1))

    assert [one.reason for one in answer.refused] == ["GROUP_NOT_OPEN", "WORKER_NOT_FOUND", "REQUEST_NOT_SATISFIED"]
    assert not fleet.of(e.AllocationOpened)


def test_a_gang_is_placed_whole_or_not_at_all():
    fleet = ready(slots=2)
    fleet.join("w2", slots=1, session="s2")
    gang = (("run/default", "w1", 2, (), "g"), ("run/default", "w2", 2, (), "g"))
    answer = plan(fleet, *gang)
    assert answer.accepted == ()
    assert {(one.index, one.reason) for one in answer.refused} == {
        (0, "GANG_INCOMPLETE"),
        (1, "REQUEST_NOT_SATISFIED"),
    }

    whole = plan(fleet, gang[0], ("run/default", "w2", 1, (), "g"))
    assert len(whole.accepted) == 2


def test_a_group_gets_no_more_slots_than_it_asked_for():
    fleet = ready(slots=4, request=Request(slots_max=2))
    assert open_groups(fleet.state)[0].wanted_slots == 2
    answer = plan(fleet, ("run/default", "w1", 3), ("run/default", "w1", 2))

    assert [one.index for one in answer.refused] == [0]
    assert open_groups(fleet.state)[0].wanted_slots == 0


def test_devices_are_given_to_slots_and_stay_held_until_the_allocation_is_closed():
    gpus = tuple(Device(f"gpu{number}", "gpu") for number in range(2))
    fleet = Fleet()
    fleet.submit(cases=IDS, request=Request(devices=(DeviceRequest("gpu"),)))
    fleet.join(slots=4, devices=gpus)
    first = plan(fleet, ("run/default", "w1", 2, ("gpu0", "gpu1")))
    second = plan(fleet, ("run/default", "w1", 1, ("gpu1",)))

    assert first.accepted == ("a1",)
    assert fleet.of(e.AllocationOpened)[0].device_ids == (("gpu0",), ("gpu1",))
    assert [one.reason for one in second.refused] == ["RESOURCES_UNAVAILABLE"]


def test_a_revoked_allocation_ends_between_tasks_and_its_slots_are_told():
    fleet = ready(slots=1)
    plan(fleet, ("run/default", "w1", 1))
    (attempt,) = fleet.live()
    plan(fleet, revoke=("a1",))
    assert fleet.state.allocations["a1"].closing
    assert attempt.attempt_id in fleet.state.attempts
    fleet.do(c.WantTasks("w1", "a1", (0,)))
    fleet.finish(attempt)

    assert not fleet.live()
    assert fleet.of(e.SlotsReleased)[-1].slots == (0,)
    fleet.close_what_is_closing()
    assert open_groups(fleet.state)[0].wanted_slots > 0


def test_an_allocation_with_nothing_left_is_given_back_while_others_still_work():
    fleet = Fleet()
    fleet.submit(cases=("a", "b"), policy=c.PolicySpec(max_cases_per_task=1), estimates=(5.0, 5.0))
    fleet.join("w1", slots=1)
    fleet.join("w2", slots=1, session="s2")
    fleet.place()
    fleet.finish(fleet.live("w1")[0])

    assert fleet.state.allocations["a1"].closing
    assert not fleet.state.allocations["a2"].closing
    assert not fleet.of(e.GroupFinished)


def test_waiting_reasons_are_kept_and_told_once():
    fleet = ready()
    reason = c.WaitingReason("run/default", False, "busy", "behind run 7")
    for _ in range(3):
        fleet.do(c.ApplyPlan("p", waiting=(reason,)))

    assert [event.text for event in fleet.of(e.GroupWaiting)] == ["behind run 7"]
    assert fleet.place()
    assert fleet.state.groups["run/default"].waiting_text == ""


def test_a_group_that_is_a_gang_gets_all_its_workers_or_none():
    fleet = ready(slots=2, request=Request(gang=2, slots_min=2))
    fleet.join("w2", slots=2, session="s2")
    assert open_groups(fleet.state)[0].wanted_slots == 4
    half = plan(fleet, ("run/default", "w1", 2))
    assert [(one.index, one.reason) for one in half.refused] == [(0, "GANG_INCOMPLETE")]
    parted = plan(fleet, ("run/default", "w1", 2), ("run/default", "w2", 2))
    assert not parted.accepted

    whole = plan(fleet, ("run/default", "w1", 2, (), "g"), ("run/default", "w2", 2, (), "g"))
    assert len(whole.accepted) == 2
    assert open_groups(fleet.state)[0].wanted_slots == 0


def test_a_gang_that_lost_a_worker_is_given_back_and_placed_whole_again():
    fleet = ready(slots=1, request=Request(gang=2))
    fleet.join("w2", slots=1, session="s2")
    plan(fleet, ("run/default", "w1", 1, (), "g"), ("run/default", "w2", 1, (), "g"))
    fleet.do(c.WorkerLost("w2", "silent"))
    assert fleet.state.allocations["a1"].closing
    assert open_groups(fleet.state)[0].wanted_slots == 0
    for attempt in fleet.live("w1"):
        fleet.finish(attempt)
    fleet.close_what_is_closing()
    assert open_groups(fleet.state)[0].wanted_slots == 2


def test_slots_of_one_plan_share_what_there_is_though_cases_are_few():
    fleet = Fleet()
    fleet.submit(cases=IDS[:8])
    fleet.join(slots=2)
    fleet.join("w2", slots=2, session="s2")
    plan(fleet, ("run/default", "w1", 2), ("run/default", "w2", 2))

    assert {attempt.worker_id for attempt in fleet.live()} == {"w1", "w2"}
    assert len(fleet.live()) == 4
