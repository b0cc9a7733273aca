"""What one planning cycle decides."""

from collections.abc import Iterable

import pytest

from crossfleet.matching.misfit import Wait
from crossfleet.matching.model import Device, DeviceRequest, Placement, Preference, Request, WorkerState, WorkerView
from crossfleet.matching.selectors import Selectors
from crossfleet.scheduler.core.model import Allocation, Delta, Group, Plan, Policy, Share
from crossfleet.scheduler.core.planner import Planner
from crossfleet.scheduler.core.snapshot import Snapshot


def made(
    workers: Iterable[WorkerView],
    groups: Iterable[Group],
    held: Iterable[Allocation] = (),
    refused: dict[str, frozenset[str]] | None = None,
    shares: Iterable[Share] = (),
    now: float = 0.0,
    policy: Policy | None = None,
) -> Plan:
    rows = Delta(workers=tuple(workers), groups=tuple(groups), allocations=tuple(held), shares=tuple(shares))
    return Planner(policy or Policy(), Selectors()).plan(Snapshot.of(rows, 1), now, refused)


def slots(found: Plan) -> dict[tuple[str, str], int]:
    return {(one.group_id, one.worker_id): one.slots for one in found.allocate}


def by_group(found: Plan) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in found.allocate:
        total[one.group_id] = total.get(one.group_id, 0) + one.slots
    return total


def worker(name: str, slots_total: int = 2, **more) -> WorkerView:
    return WorkerView(name, cpu_cores=slots_total, slots_total=slots_total, **more)


def group(name: str, wanted: int = 8, selector: str = "", run: str = "", **more) -> Group:
    return Group(name, run or name, request=Request(selector), wanted_slots=wanted, **more)


def codes(found: Plan) -> dict[str, tuple[Wait, str]]:
    return {one.group_id: (one.wait, one.code) for one in found.waiting}


def test_a_lone_group_gets_every_slot():
    assert slots(made([worker("w1"), worker("w2")], [group("g")])) == {("g", "w1"): 2, ("g", "w2"): 2}


def test_a_group_gets_no_more_than_it_wants_and_on_few_workers():
    assert slots(made([worker("w1"), worker("w2", 4)], [group("g", 3)])) == {("g", "w2"): 3}


def test_a_small_group_goes_where_it_fits_best():
    assert slots(made([worker("w1", 8), worker("w2", 2)], [group("g", 2)])) == {("g", "w2"): 2}


def test_of_workers_that_are_as_good_the_one_is_taken_on_which_the_least_is_to_be_done_first():
    workers = [worker(name, 4) for name in ("w1", "w2", "w3")]
    assert slots(made(workers, [group("g", 2, warm=("gone", "w3", "w2"))])) == {("g", "w3"): 2}
    fuller = [Allocation("a", "other", "w1", 2)]
    assert slots(made(workers, [group("g", 2, warm=("w2",))], fuller)) == {("g", "w2"): 2}
    busy = [Allocation("a", "other", "w3", 4)]
    assert slots(made(workers, [group("g", 2, warm=("w3",))], busy)) == {("g", "w1"): 2}


def test_a_warm_worker_is_passed_over_for_room_for_what_others_need_and_for_what_is_preferred():
    assert slots(made([worker("w1", 4), worker("w2", 2)], [group("g", 4, warm=("w2",))])) == {("g", "w1"): 4}
    gpu = worker("w2", devices=(Device("gpu0", "gpu"),))
    rival = group("late", 1, 'device.class == "gpu"', submitted_at=9)
    found = made([worker("w1"), gpu], [group("g", 2, warm=("w2",)), rival])
    assert slots(found) == {("g", "w1"): 2, ("late", "w2"): 1}
    near = worker("w2", labels={"zone": "near"})
    request = Request(preferred=(Preference('worker.labels.zone == "near"'),))
    wishing = Group("g", "g", request=request, wanted_slots=2, warm=("w1",))
    assert slots(made([worker("w1"), near], [wishing])) == {("g", "w2"): 2}


def test_a_group_that_was_refused_on_its_warm_worker_goes_elsewhere():
    found = made([worker("w1"), worker("w2")], [group("g", 2, warm=("w2",))], refused={"g": frozenset({"w2"})})
    assert slots(found) == {("g", "w1"): 2}


def test_nothing_wanted_is_nothing_planned():
    assert made([worker("w1")], [group("g", 0)]) == Plan(1)


def test_higher_priority_goes_first_and_the_lower_waits_behind_it():
    found = made([worker("w1")], [group("low", submitted_at=1), group("high", 2, priority=5, submitted_at=9)])
    assert slots(found) == {("high", "w1"): 2}
    assert codes(found) == {"low": (Wait.LATER, "behind_priority")}
    assert "2 slots of high" in found.waiting[0].text


def test_the_older_run_goes_first():
    found = made([worker("w1")], [group("new", submitted_at=2), group("old", 2, submitted_at=1)])
    assert slots(found) == {("old", "w1"): 2}
    assert codes(found) == {"new": (Wait.LATER, "behind")}


def test_targets_of_one_run_proceed_side_by_side_on_workers_of_their_own():
    found = made([worker("w1"), worker("w2")], [group("a", run="r"), group("b", run="r")])
    assert slots(found) == {("a", "w1"): 2, ("b", "w2"): 2}


def test_targets_of_one_run_share_one_worker_where_there_is_no_other():
    found = made([worker("w1", 5)], [group("a", run="r"), group("b", run="r")])
    assert sorted(by_group(found).values()) == [2, 3]


def test_a_target_that_holds_slots_already_lets_the_other_catch_up():
    held = [Allocation("x", "a", "w1", 2)]
    found = made([worker("w1"), worker("w2")], [group("a", run="r"), group("b", run="r")], held)
    assert by_group(found) == {"b": 2}


def test_what_few_can_use_is_left_to_the_few():
    workers = [worker("w1", 1, labels={"zone": "eu"}), worker("w2", 1)]
    groups = [group("any", 1, run="r"), group("eu", 1, 'worker.labels.zone == "eu"', run="r")]
    assert slots(made(workers, groups)) == {("any", "w2"): 1, ("eu", "w1"): 1}
    older_first = [group("any", 1, submitted_at=1), group("eu", 1, 'worker.labels.zone == "eu"', submitted_at=2)]
    assert slots(made(workers, older_first)) == {("any", "w2"): 1, ("eu", "w1"): 1}


def test_a_group_goes_where_it_is_warm():
    held = [Allocation("x", "g", "w2", 1)]
    assert slots(made([worker("w1"), worker("w2")], [group("g", 1)], held)) == {("g", "w2"): 1}


def test_a_worker_to_avoid_is_used_only_if_there_is_no_other():
    avoiding = group("g", 2, avoid=frozenset({"w1"}))
    assert slots(made([worker("w1"), worker("w2")], [avoiding])) == {("g", "w2"): 2}
    assert slots(made([worker("w1")], [avoiding])) == {("g", "w1"): 2}


def test_nothing_is_placed_on_a_worker_that_is_not_ready():
    for state in (WorkerState.SUSPECT, WorkerState.DRAINING, WorkerState.LOST):
        found = made([worker("w1", state=state)], [group("g")])
        assert found.allocate == ()
        assert codes(found) == {"g": (Wait.LATER, "state")}


def test_the_limit_of_a_group_counts_what_it_holds():
    limited = Group("g", "r", request=Request(slots_max=3), wanted_slots=9)
    held = [Allocation("x", "g", "w1", 2)]
    found = made([worker("w1"), worker("w2")], [limited], held)
    assert slots(found) == {("g", "w2"): 1}
    assert codes(found) == {"g": (Wait.LATER, "slots_max")}


def test_a_group_waits_for_its_fewest_slots_on_one_worker():
    pair = Group("g", "r", request=Request(slots_min=2), wanted_slots=2)
    busy = [Allocation("x", "other", "w1", 1), Allocation("y", "other", "w2", 1)]
    found = made([worker("w1"), worker("w2")], [pair, group("other", 0, submitted_at=5)], busy)
    assert found.allocate == ()
    assert codes(found) == {"g": (Wait.LATER, "busy")}
    assert slots(made([worker("w1"), worker("w2")], [pair])) == {("g", "w1"): 2}


def test_fewer_slots_are_enough_when_less_work_is_left():
    last = Group("g", "r", request=Request(slots_min=2), wanted_slots=1)
    assert slots(made([worker("w1")], [last])) == {("g", "w1"): 1}


def test_devices_are_granted_with_the_slots():
    gpus = tuple(Device(f"gpu-{n}", "gpu") for n in range(2))
    found = made([worker("w1", 4, devices=gpus)], [group("g", selector='device.class == "gpu"')])
    assert [(one.slots, one.device_ids) for one in found.allocate] == [(2, ("gpu-0", "gpu-1"))]


def test_a_group_in_two_pieces_on_one_worker_is_one_proposal():
    gpus = tuple(Device(f"gpu-{n}", "gpu") for n in range(3))
    groups = [group(name, selector='device.class == "gpu"', run="r") for name in ("a", "b")]
    found = made([worker("w1", 4, devices=gpus)], groups)
    assert len(found.allocate) == 2
    assert sorted(device for one in found.allocate for device in one.device_ids) == ["gpu-0", "gpu-1", "gpu-2"]


def test_an_exclusive_group_gets_a_worker_for_itself():
    alone = Group("g", "r", request=Request(exclusive=True), wanted_slots=1)
    held = [Allocation("x", "other", "w1", 1)]
    found = made([worker("w1"), worker("w2")], [alone, group("other", 0)], held)
    assert slots(found) == {("g", "w2"): 1}


def test_an_exclusive_group_gets_no_worker_whose_host_is_in_use():
    alone = Group("g", "r", request=Request(exclusive=True), wanted_slots=1)
    held = [Allocation("x", "other", "w1", 1)]
    shared = [worker("w1", host="h1"), worker("w2", host="h1")]
    found = made(shared, [alone, group("other", 0)], held)
    assert slots(found) == {}
    assert "1 slot of other" in found.waiting[0].text
    assert slots(made([*shared, worker("w3", host="h2")], [alone, group("other", 0)], held)) == {("g", "w3"): 1}


def test_nobody_is_placed_beside_an_exclusive_group_and_is_told_of_it():
    alone = Group("g", "r", request=Request(exclusive=True))
    held = [Allocation("x", "g", "w1", 1)]
    found = made([worker("w1", host="h1"), worker("w2", host="h1")], [alone, group("other", 1)], held)
    assert slots(found) == {}
    assert "1 slot of r" in found.waiting[0].text


def test_of_one_plan_too_an_exclusive_group_has_its_host_alone():
    wanted = [Group(name, name, request=Request(exclusive=True), wanted_slots=4, submitted_at=1) for name in ("a", "b")]
    found = made([worker("w1", host="h1"), worker("w2", host="h1")], [*wanted, group("small", submitted_at=2)])
    assert slots(found) == {("a", "w1"): 2}


def test_a_gang_of_whole_hosts_gets_one_worker_of_each():
    whole = Group("g", "r", request=Request(exclusive=True, gang=2), wanted_slots=2)
    one = [worker("w1", host="h1"), worker("w2", host="h1")]
    found = made(one, [whole])
    assert (slots(found), codes(found)) == ({}, {"g": (Wait.NEVER, "gang")})
    assert slots(made([*one, worker("w3", host="h2")], [whole])) == {("g", "w1"): 1, ("g", "w3"): 1}


def test_all_workers_of_a_host_are_kept_for_who_asked_for_it():
    alone = Group("g", "r", request=Request(exclusive=True), wanted_slots=1, submitted_at=1)
    busy = [Allocation("x", "other", "w1", 1)]
    shared = [worker("w1", host="h1"), worker("w2", host="h1")]
    found = made(shared, [group("other", 0), alone, group("small", 1, submitted_at=2)], busy)
    assert found.allocate == ()


def test_a_device_in_use_on_another_worker_of_the_host_is_given_to_nobody_and_its_holder_is_named():
    both = [worker(name, host="h", devices=(Device("d0", "gpu"),)) for name in ("w1", "w2")]
    wanted = group("g", 1, 'device.class == "gpu" && worker.name == "w1"')
    held = [Allocation("x", "other", "w2", 1, ("d0",))]
    found = made(both, [wanted, group("other", 0), group("small", 1)], held)
    assert by_group(found) == {"small": 1}
    assert "1 slot of other" in found.waiting[0].text


def test_devices_are_kept_on_all_workers_that_offer_them():
    kinds = [{"kind": kind} for kind in ("a", "b")]
    gpus = tuple(Device(name, "gpu") for name in ("d0", "d1"))
    both = [worker(f"w{at}", host="h", labels=labels, devices=gpus) for at, labels in enumerate(kinds)]
    pair = Request('worker.labels.kind == "a"', devices=(DeviceRequest("gpu", count=2),))
    large = Group("large", "r", request=pair, wanted_slots=1, submitted_at=1)
    held = [Allocation("x", "other", "w1", 1, ("d0",))]
    found = made(both, [group("other", 0), large, group("small", 1, 'device.class == "gpu"', submitted_at=2)], held)
    assert found.allocate == ()


def test_a_refused_worker_is_left_out_and_told():
    found = made([worker("w1")], [group("g", 1)], refused={"g": frozenset({"w1"})})
    assert found.allocate == ()
    assert codes(found) == {"g": (Wait.LATER, "refused")}


def test_no_workers_is_a_reason_of_its_own():
    assert codes(made([], [group("g")])) == {"g": (Wait.LATER, "no_workers")}


def test_what_can_never_fit_names_the_clause():
    found = made([worker("w1")], [group("g", selector='worker.labels.zone == "eu"')])
    assert codes(found) == {"g": (Wait.NEVER, "selector")}
    assert "holds on 0 of 1 worker (missing: zone)" in found.waiting[0].text


@pytest.mark.parametrize("chosen", ["w1", "w2", "w3"])
def test_of_twins_that_were_there_before_a_group_gets_the_one_that_it_names(chosen: str):
    twins = tuple(worker(name) for name in ("w1", "w2", "w3"))
    planner, snapshot = Planner(Policy(), Selectors()), Snapshot.of(Delta(twins), 1)
    planner.plan(snapshot, 0.0)
    snapshot.apply(Delta(groups=(group("g", 6, f'worker.name == "{chosen}"'),)), 2)
    assert slots(planner.plan(snapshot, 0.0)) == {("g", chosen): 2}


def test_a_selector_that_does_not_compile_stops_nobody_else():
    found = made([worker("w1")], [group("bad", selector="worker.nme", submitted_at=1), group("good", submitted_at=2)])
    assert by_group(found) == {"good": 2}
    assert codes(found)["bad"] == (Wait.NEVER, "invalid_selector")


def test_a_group_that_is_busy_with_all_it_can_use_is_told_so():
    found = made([worker("w1")], [group("g", 3)], [Allocation("x", "g", "w1", 2)])
    assert found.waiting[0].text == "it holds every slot that it can use of this fleet"


def test_who_is_in_the_way_is_named():
    groups = [group("g", 1, priority=1), Group("other", "run-7", target="py311")]
    found = made([worker("w1")], groups, [Allocation("x", "other", "w1", 2)])
    assert codes(found) == {"g": (Wait.LATER, "busy")}
    assert found.waiting[0].text == "2 slots are in use: 2 slots of run-7 py311"


def gang(name: str, workers: int, slots: int = 1, **more) -> Group:
    return Group(name, name, request=Request(gang=workers, slots_min=slots), wanted_slots=workers * slots, **more)


def test_a_gang_gets_all_its_workers_at_once():
    found = made([worker("w1"), worker("w2"), worker("w3", 1)], [gang("g", 2, 2)])
    assert slots(found) == {("g", "w1"): 2, ("g", "w2"): 2}
    assert {one.gang for one in found.allocate} == {"g"}


def test_half_a_gang_gets_nothing_and_is_told_what_it_is_behind():
    found = made([worker("w1"), worker("w2")], [gang("g", 2, 2)], [Allocation("x", "other", "w2", 1)])
    assert found.allocate == ()
    assert codes(found) == {"g": (Wait.LATER, "busy")}


def test_a_gang_larger_than_the_fleet_can_never_be_placed():
    found = made([worker("w1"), worker("w2", 1)], [gang("g", 2, 2)])
    assert codes(found) == {"g": (Wait.NEVER, "gang")}
    assert found.waiting[0].text == "its gang needs 2 workers at once; 1 worker could take it"


def test_small_work_does_not_keep_a_gang_out():
    busy = [Allocation("x", "long", "w2", 1)]
    groups = [
        group("long", 0, estimated_seconds=60.0),
        gang("g", 2, 2, submitted_at=1),
        group("small", 9, submitted_at=2),
    ]
    found = made([worker("w1"), worker("w2")], groups, busy)
    assert found.allocate == ()
    assert codes(found)["small"] == (Wait.LATER, "reserved")
    assert [one.text for one in found.waiting if one.code == "reserved"] == [
        "what is free is kept for g, which could else be kept out for ever"
    ]


def test_what_ends_before_the_gang_can_begin_may_pass_it():
    busy = [Allocation("x", "long", "w2", 1)]
    queue = [
        group("long", 0, estimated_seconds=60.0),
        gang("g", 2, 2, submitted_at=1),
        group("slow", 1, submitted_at=2, estimated_seconds=61.0),
        group("quick", 2, submitted_at=3, estimated_seconds=59.0),
    ]
    assert by_group(made([worker("w1"), worker("w2")], queue, busy)) == {"quick": 2}


def test_work_may_use_what_a_gang_does_not_keep():
    busy = [Allocation("x", "long", "w2", 1)]
    groups = [
        group("long", 0, estimated_seconds=60.0),
        gang("g", 2, 2, submitted_at=1),
        group("small", 9, submitted_at=2),
    ]
    found = made([worker("w1"), worker("w2"), worker("w3", 1)], groups, busy)
    assert slots(found) == {("small", "w3"): 1}


def test_two_gangs_never_take_half_each():
    found = made([worker(f"w{n}", 1) for n in range(3)], [gang("a", 2), gang("b", 2)])
    assert by_group(found) == {"a": 2}


def test_a_whole_host_is_kept_for_who_asked_for_one():
    alone = Group("g", "r", request=Request(exclusive=True), wanted_slots=1, submitted_at=1)
    busy = [Allocation("x", "other", "w1", 1)]
    found = made([worker("w1")], [group("other", 0), alone, group("small", 1, submitted_at=2)], busy)
    assert found.allocate == ()


def test_the_project_that_has_less_goes_first():
    groups = [group("a", 2, project="rich", submitted_at=1), group("b", 2, project="poor", submitted_at=2)]
    found = made([worker("w1"), worker("w2")], groups, [Allocation("x", "a", "w2", 2)])
    assert by_group(found) == {"b": 2}


def test_what_a_project_used_lately_counts():
    groups = [group("a", 2, project="a"), group("b", 2, project="b", submitted_at=9)]
    found = made([worker("w1")], groups, shares=[Share("a", used={"cpu": 0.75})])
    assert by_group(found) == {"b": 2}


def test_projects_share_what_is_free_by_their_weights():
    groups = [group("a", 99, project="a"), group("b", 99, project="b")]
    found = made([worker(f"w{n:02}", 4) for n in range(10)], groups, shares=[Share("a", weight=3.0)])
    assert by_group(found) == {"a": 30, "b": 10}


def test_two_projects_share_even_a_single_worker():
    groups = [group("a", 99, project="a"), group("b", 99, project="b")]
    assert by_group(made([worker("w1", 8)], groups)) == {"a": 4, "b": 4}


def test_who_waited_too_long_behind_higher_priorities_gets_its_fewest_slots():
    groups = [group("high", 9, priority=5, submitted_at=100.0), group("low", 9, submitted_at=0.0)]
    policy = Policy(patience_seconds=600.0)
    assert by_group(made([worker("w1", 4)], groups, now=599.0, policy=policy)) == {"high": 4}
    assert by_group(made([worker("w1", 4)], groups, now=600.0, policy=policy)) == {"high": 3, "low": 1}


def test_patience_is_once_for_what_already_has_something():
    groups = [group("high", 9, priority=5, submitted_at=100.0), group("low", 9, submitted_at=0.0)]
    found = made([worker("w1", 4)], groups, [Allocation("x", "low", "w1", 1)], now=9e9)
    assert by_group(found) == {"high": 3}


def wishing(wanted: int, *preferred: Preference, **more) -> Group:
    return Group("g", "r", request=Request(preferred=preferred, **more), wanted_slots=wanted)


def test_preferred_workers_come_first_and_others_when_these_are_full():
    fleet = [worker("w1"), worker("w2", labels={"zone": "eu"}), worker("w3", 8)]
    eu = Preference('worker.labels.zone == "eu"')
    assert slots(made(fleet, [wishing(2, eu)])) == {("g", "w2"): 2}
    assert slots(made(fleet, [wishing(4, eu)])) == {("g", "w1"): 2, ("g", "w2"): 2}


def test_the_heavier_preference_wins_and_several_add_up():
    fleet = [worker("w1", labels={"zone": "eu"}), worker("w2", devices=(Device("d", "ssd"),)), worker("w3")]
    eu, ssd = 'worker.labels.zone == "eu"', 'device.class == "ssd"'
    assert slots(made(fleet, [wishing(1, Preference(eu), Preference(ssd, 3))])) == {("g", "w2"): 1}
    named = Preference('worker.name == "w1"', 3)
    assert slots(made(fleet, [wishing(1, Preference(eu), Preference(ssd, 3), named)])) == {("g", "w1"): 1}


def test_a_device_that_is_out_is_no_reason_to_prefer_its_worker():
    fleet = [worker("w2", devices=(Device("d", "ssd", conditions=frozenset({"lost"})),)), worker("w1")]
    assert slots(made(fleet, [wishing(1, Preference('device.class == "ssd"'))])) == {("g", "w1"): 1}


def test_what_nobody_has_is_preferred_in_vain_and_keeps_nothing_waiting():
    assert slots(made([worker("w1")], [wishing(1, Preference('worker.labels.zone == "mars"'))])) == {("g", "w1"): 1}


def test_of_workers_that_are_liked_alike_those_come_first_whose_slots_cost_least():
    fleet = [
        worker("w1", 2, labels={"cost_per_hour": "4.0"}),
        worker("w2", 8, labels={"cost_per_hour": "8"}),
        worker("w3", 2),
        worker("w4", 2, labels={"zone": "eu", "cost_per_hour": "90"}),
    ]
    assert slots(made(fleet, [wishing(1, prefer_least="cost_per_hour")])) == {("g", "w2"): 1}
    assert slots(made(fleet, [wishing(11, prefer_least="cost_per_hour")])) == {
        ("g", "w1"): 2,
        ("g", "w2"): 8,
        ("g", "w4"): 1,
    }
    eu = Preference('worker.labels.zone == "eu"')
    assert slots(made(fleet, [wishing(1, eu, prefer_least="cost_per_hour")])) == {("g", "w4"): 1}


def test_watts_of_devices_add_up_and_a_label_of_the_worker_says_better():
    gpus = tuple(Device(f"d{n}", "gpu", {"watts": 300.0}) for n in range(2))
    fleet = [
        worker("w1", devices=gpus),
        worker("w2", devices=gpus, labels={"watts": "100"}),
        worker("w3", devices=gpus[:1]),
    ]
    assert slots(made(fleet, [wishing(1, prefer_least="watts")])) == {("g", "w2"): 1}
    assert slots(made(fleet[::2], [wishing(1, prefer_least="watts")])) == {("g", "w3"): 1}


def test_a_gang_prefers_too():
    fleet = [worker(f"w{n}", labels={"zone": "eu" if n > 1 else "us"}) for n in range(4)]
    found = made(fleet, [wishing(2, Preference('worker.labels.zone == "eu"'), gang=2)])
    assert slots(found) == {("g", "w2"): 1, ("g", "w3"): 1}


def test_what_spreads_takes_the_emptiest_workers_one_slot_each():
    fleet = [worker("w1", 3), worker("w2", 3), worker("w3", 3)]
    held = [Allocation("x", "other", "w1", 1)]
    spreading = wishing(2, placement=Placement.SPREAD)
    assert slots(made(fleet, [spreading, group("other", 0)], held)) == {("g", "w2"): 1, ("g", "w3"): 1}
    assert slots(made(fleet, [wishing(5, placement=Placement.SPREAD)])) == {
        ("g", "w1"): 2,
        ("g", "w2"): 2,
        ("g", "w3"): 1,
    }


def test_what_spreads_goes_on_where_it_has_nothing_yet():
    held = [Allocation("x", "g", "w2", 1)]
    found = made([worker("w1", 2), worker("w2", 9)], [wishing(1, placement=Placement.SPREAD)], held)
    assert slots(found) == {("g", "w1"): 1}
