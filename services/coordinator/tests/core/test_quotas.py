from hypothesis import given, settings
from hypothesis import strategies as st

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.outcomes import Outcome, RunState
from crossfleet.coordinator.core.quota import Quota, RemoveQuota, SetQuota
from crossfleet.coordinator.core.quotas import in_line
from crossfleet.coordinator.core.reservation import MakeReservation, Reservation
from crossfleet.coordinator.core.semaphore import SetSemaphore
from crossfleet.coordinator.core.view import open_groups
from crossfleet.matching.model import Device, DeviceRequest, Request
from crossfleet.matching.template import Alternative, Template
from services.coordinator.tests.core.fleet import Fleet

IDS = tuple(f"case-{number}" for number in range(40))
GPUS = tuple(Device(f"gpu{number}", "gpu") for number in range(4))


def fleet_with(**limits):
    fleet = Fleet()
    fleet.join(slots=8, devices=GPUS)
    fleet.do(SetQuota(Quota("p", **limits)))
    return fleet


def submit(fleet, run_id, project="p", **request):
    more = {name: request.pop(name) for name in ("priority", "policy") if name in request}
    return fleet.submit(run_id, IDS, project=project, request=Request(**request), **more)


def held(fleet, project="p"):
    state = fleet.state
    mine = [one for one in state.allocations.values() if state.runs[one.run_id].project == project]
    return sum(len(one.held) for one in mine), sum(len(one.held_devices) for one in mine)


def offered(fleet):
    return {one.run_id: one.wanted_slots for one in open_groups(fleet.state)}


def text(fleet, run_id):
    return fleet.state.groups[f"{run_id}/default"].waiting_text


def end(fleet, run_id):
    fleet.do(c.StopRun(run_id, "over"))
    fleet.close_what_is_closing()


def test_a_project_gets_its_slots_and_no_more_and_others_are_not_limited():
    fleet = fleet_with(slots=3)
    submit(fleet, "a")
    submit(fleet, "theirs", project="q")
    assert offered(fleet) == {"a": 3, "theirs": 40}
    fleet.place()
    assert held(fleet) == (3, 0)
    assert held(fleet, "q") == (5, 0)


def test_a_plan_for_several_groups_cannot_exceed_what_is_left_and_is_told_so():
    fleet = fleet_with(slots=3)
    submit(fleet, "a")
    submit(fleet, "b")
    proposals = (c.ProposedAllocation("a/default", "w1", 2), c.ProposedAllocation("b/default", "w1", 2))
    answer = fleet.do(c.ApplyPlan("plan", proposals))
    assert len(answer.accepted) == 1
    assert [(one.reason, one.text) for one in answer.refused] == [
        ("QUOTA_EXCEEDED", "project p has 2 of 3 slots of its quota")
    ]
    assert offered(fleet) == {"a": 1, "b": 1}


def test_who_waits_is_told_what_is_held_and_by_whom_and_goes_on_when_it_is_given_back():
    fleet = fleet_with(slots=2)
    submit(fleet, "a")
    fleet.place()
    submit(fleet, "b")
    assert text(fleet, "b") == "it needs 1 slot, and the quota of project p is 2: held by a (2)"
    assert offered(fleet) == {"a": 0}
    end(fleet, "a")
    assert offered(fleet) == {"b": 2}
    assert not text(fleet, "b")


def test_devices_count_by_the_class_that_the_request_names_wherever_it_names_it():
    fleet = fleet_with(devices=(("gpu", 3),))
    submit(fleet, "named", devices=(DeviceRequest("gpu", count=2),))
    submit(fleet, "chosen", selector='device.class == "gpu"')
    submit(fleet, "without")
    assert offered(fleet) == {"named": 1, "chosen": 3, "without": 40}
    fleet.place()
    fleet.place()
    assert held(fleet)[1] == 3
    submit(fleet, "late", selector='device.class == "gpu" && size(worker.name) > 0')
    assert text(fleet, "late") == "it needs 1 gpu, and the quota of project p is 3: held by named (2), chosen (1)"


def test_devices_of_a_class_that_a_request_leaves_open_count_toward_each():
    fleet = fleet_with(devices=(("gpu", 1), ("npu", 2)))
    submit(fleet, "any", selector='device.class != "cpu"')
    fleet.place()
    assert held(fleet)[1] == 1
    submit(fleet, "npu", devices=(DeviceRequest("npu"),))
    assert offered(fleet) == {"any": 0, "npu": 1}


NPU = Alternative('device.class == "npu"', wait=5.0, devices=(DeviceRequest("npu"),))
GPU = Alternative('device.class == "gpu"', devices=(DeviceRequest("gpu"),))


def with_alternatives(fleet, *alternatives, run_id="a", **more):
    return fleet.submit(
        run_id, IDS, templates={"default": Template(alternatives=alternatives, one_by_one=True)}, **more
    )


def test_a_target_counts_as_what_the_alternative_takes_that_is_offered():
    fleet = fleet_with(devices=(("gpu", 1),))
    with_alternatives(fleet, NPU, GPU)
    assert fleet.state.groups["a/default"].target.devices == (("npu", 1),)
    for _ in range(3):
        fleet.now += 5
        fleet.do(c.PassTime())
    assert fleet.state.groups["a/default"].target.devices == (("gpu", 1),)
    fleet.place()

    assert held(fleet) == (1, 1)
    assert fleet.state.tallies["p"].devices == {"gpu": 1}


def test_alternatives_that_are_open_beside_each_other_count_as_each_until_it_is_known_which_it_is():
    fleet = fleet_with(devices=(("gpu", 1), ("npu", 1)))
    two = Template(alternatives=(Alternative('device.class == "npu"'), Alternative('device.class == "gpu"')))
    fleet.submit("a", IDS, templates={"default": two})
    assert fleet.state.groups["a/default"].target.devices == (("gpu", 1), ("npu", 1))
    fleet.place()
    assert fleet.state.tallies["p"].devices == {"gpu": 1}
    end(fleet, "a")
    assert fleet.state.tallies == {}


def test_an_alternative_that_a_quota_never_allows_is_passed_over_at_once_and_counts_again_when_it_may():
    fleet = fleet_with(devices=(("gpu", 1),))
    many = Alternative(wait=60.0, devices=(DeviceRequest("gpu", count=2),))
    with_alternatives(fleet, many, GPU)
    where = fleet.state.groups["a/default"].whereabouts
    assert where.skipped == {0: "it needs 2 gpu at once, and the quota of project p is 1"}
    assert offered(fleet) == {"a": 1}
    fleet.do(SetQuota(Quota("p", devices=(("gpu", 2),))))
    assert where.skipped == {}


def test_alternatives_that_come_in_side_by_side_are_offered_without_the_one_that_is_never_allowed():
    fleet = fleet_with(devices=(("npu", 0),))
    two = Template(alternatives=(Alternative('device.class == "npu"', 60.0), Alternative('device.class == "gpu"')))
    fleet.submit("a", IDS, templates={"default": two})
    assert fleet.state.groups["a/default"].target.selector == 'device.class == "gpu"'
    fleet.place()
    assert held(fleet) == (4, 4)


def test_only_a_target_of_which_no_alternative_is_ever_allowed_is_refused():
    fleet = fleet_with(devices=(("gpu", 1),))
    two, three = (Alternative(wait=60.0, devices=(DeviceRequest("gpu", count=number),)) for number in (2, 3))
    assert with_alternatives(fleet, three, two).reason == "QUOTA_EXCEEDED"
    assert with_alternatives(fleet, three, two, GPU).changed
    assert offered(fleet) == {"a": 1}


def test_so_many_runs_are_at_work_and_their_targets_may_go_on():
    fleet = fleet_with(runs=1)
    fleet.submit("a", IDS, targets=("x", "y"), request=Request(slots_max=1))
    submit(fleet, "b")
    fleet.do(c.ApplyPlan("plan", (c.ProposedAllocation("a/x", "w1", 1),)))
    assert text(fleet, "b") == "it needs a place among its runs, and the quota of project p is 1: held by a"
    assert fleet.state.groups["a/y"].held_back == ""
    assert len(fleet.place()) == 1
    fleet.work()
    assert {one.run_id for one in fleet.of(e.RunFinished)} == {"a", "b"}


def test_a_large_request_is_not_starved_by_small_ones_that_come_later():
    fleet = fleet_with(slots=3)
    submit(fleet, "small", slots_max=1)
    fleet.place()
    submit(fleet, "large", slots_min=3)
    submit(fleet, "later", slots_max=1)
    assert offered(fleet) == {"small": 0}
    assert text(fleet, "large") == "it needs 3 slots, and the quota of project p is 3: held by small (1)"
    assert text(fleet, "later").endswith("held by small (1); others were there first")
    end(fleet, "small")
    assert offered(fleet) == {"large": 3, "later": 1}


def test_what_a_waiting_large_request_needs_does_not_go_to_those_that_grow():
    fleet = fleet_with(slots=4)
    submit(fleet, "first", slots_max=1)
    fleet.place()
    submit(fleet, "large", slots_min=4, priority=1)
    submit(fleet, "grows")
    assert "grows" not in offered(fleet)
    end(fleet, "first")
    fleet.do(c.ApplyPlan("plan", (c.ProposedAllocation("large/default", "w1", 4),)))
    assert held(fleet) == (4, 0)


def test_those_that_wait_for_a_device_keep_slots_from_others_but_once():
    fleet = fleet_with(slots=6, devices=(("gpu", 1),))
    gpu = {"selector": 'device.class == "gpu"', "slots_max": 1}
    submit(fleet, "has", **gpu)
    fleet.place()
    for number in range(5):
        submit(fleet, f"waits{number}", **gpu)
    submit(fleet, "plain")
    assert offered(fleet) == {"has": 0, "plain": 4}


def test_among_those_that_wait_the_more_urgent_goes_first():
    fleet = fleet_with(slots=2)
    submit(fleet, "runs")
    fleet.place()
    submit(fleet, "older", slots_min=2)
    submit(fleet, "urgent", slots_min=2, priority=5)
    assert [one.run_id for one in in_line(fleet.state, "p")] == ["urgent", "older"]


def facts_for_a_freed_slot(waiting, **request):
    """How many, when one of two runs ends and another one gets its slot."""
    fleet = Fleet()
    fleet.join(slots=8, devices=GPUS)
    fleet.do(SetSemaphore("seat", 2))
    fleet.do(SetQuota(Quota("p", slots=2)))
    for number in range(waiting):
        submit(fleet, f"run{number:04}", slots_max=1, **request)
        if number == 1:
            fleet.place()
    before = len(fleet.events)
    end(fleet, "run0000")
    assert list(offered(fleet)) == ["run0001", "run0002"]
    fleet.place()
    assert held(fleet) == (2, 0)
    assert "run0002/default" in {one.group_id for one in fleet.state.allocations.values()}
    return len(fleet.events) - before


def test_a_freed_slot_is_offered_to_one_of_those_that_ask_for_the_same_however_many_they_are():
    few, many = facts_for_a_freed_slot(15), facts_for_a_freed_slot(60)
    assert few == many < 40
    few, many = (facts_for_a_freed_slot(number, semaphores=(("seat", 1),)) for number in (15, 60))
    assert few == many < 40


def test_who_asks_for_what_is_not_there_keeps_nobody_from_what_is_left():
    fleet = fleet_with(slots=2)
    patient = c.PolicySpec(fail_unsatisfiable=False)
    for number in range(3):
        submit(fleet, f"absent{number}", selector='device.class == "npu"', policy=patient)
    submit(fleet, "other", slots_max=1)
    assert set(offered(fleet)) == {"absent0", "absent1", "other"}
    fleet.place()
    assert held(fleet) == (1, 0)


def test_places_among_the_runs_are_offered_to_so_many_runs_and_to_all_targets_of_each():
    fleet = fleet_with(runs=1)
    for name in ("a", "b", "c"):
        fleet.submit(name, IDS, targets=("x", "y"), request=Request(slots_max=1))
    assert [one.group_id for one in open_groups(fleet.state)] == ["a/x", "a/y"]


def test_a_run_whose_cases_rest_keeps_no_place_from_others():
    fleet = fleet_with(slots=1)
    rests = c.PolicySpec(max_reruns=1, rerun_delay=60.0)
    fleet.submit("a", IDS[:1], policy=rests)
    fleet.place()
    (attempt,) = fleet.live()
    fleet.finish(attempt, outcome=Outcome.FAILED)
    fleet.do(c.WorkerLost("w1", "gone"))
    fleet.join(slots=8, session="s2", incarnation="i2")
    submit(fleet, "b")
    fleet.place()
    assert {one.run_id for one in fleet.state.allocations.values()} == {"b"}


def test_a_lowered_quota_takes_nothing_back_and_a_raised_one_lets_go():
    fleet = fleet_with(slots=4)
    submit(fleet, "a")
    fleet.place()
    fleet.do(SetQuota(Quota("p", slots=1)))
    submit(fleet, "b")
    assert held(fleet) == (4, 0)
    assert offered(fleet) == {"a": 0}
    fleet.do(SetQuota(Quota("p", slots=6)))
    assert offered(fleet) == {"a": 2, "b": 2}


def test_a_removed_quota_holds_nobody_back():
    fleet = fleet_with(slots=0)
    patient = c.PolicySpec(fail_unsatisfiable=False)
    submit(fleet, "a", policy=patient)
    assert not offered(fleet)
    assert fleet.do(RemoveQuota("q")).message.startswith("project 'q' has no quota")
    fleet.do(RemoveQuota("p"))
    assert offered(fleet) == {"a": 40}


def test_what_a_quota_never_allows_is_refused_when_it_is_submitted_unless_the_run_waits():
    fleet = fleet_with(slots=3)
    answer = submit(fleet, "a", gang=2, slots_min=2)
    assert (answer.reason, answer.field) == ("QUOTA_EXCEEDED", "spec.targets[0].request")
    assert answer.message.startswith("target default needs 4 slots at once, and the quota of project p is 3: ")
    assert submit(fleet, "b", slots_min=4, policy=c.PolicySpec(fail_unsatisfiable=False)).changed
    submit(fleet, "c")
    assert offered(fleet) == {"c": 3}


def test_who_needs_another_target_and_a_quota_waits_for_both_in_turn():
    fleet = fleet_with(slots=1)
    fleet.submit("a", IDS[:1], targets=("x", "y"), needs={"y": ("x",)})
    submit(fleet, "b")
    assert fleet.state.groups["a/y"].held_back == "needs"
    fleet.work()
    assert {one.run_id for one in fleet.of(e.RunFinished)} == {"a", "b"}


def test_a_semaphore_and_a_quota_hold_back_one_after_the_other():
    fleet = fleet_with(slots=1)
    fleet.do(SetSemaphore("seat", 1))
    submit(fleet, "a", semaphores=(("seat", 1),))
    submit(fleet, "b", semaphores=(("seat", 1),))
    fleet.place()
    assert fleet.state.groups["b/default"].held_back in {"quota", "semaphore"}
    fleet.do(SetQuota(Quota("p", slots=2)))
    assert fleet.state.groups["b/default"].held_back == "semaphore"
    fleet.work()
    assert {one.run_id for one in fleet.of(e.RunFinished)} == {"a", "b"}


def test_a_slot_of_no_more_use_is_given_back_for_whoever_its_quota_keeps_waiting():
    fleet = fleet_with(slots=2)
    fleet.submit("hanging", ["a", "b"], policy=c.PolicySpec(max_cases_per_task=1))
    fleet.place()
    submit(fleet, "other", slots_max=1)
    fleet.finish(fleet.live()[1])
    assert text(fleet, "other") == "it needs 1 slot, and the quota of project p is 2: held by hanging (2)"
    fleet.now += 2.0
    fleet.do(c.PassTime())
    assert held(fleet) == (2, 0)
    fleet.let_go()
    assert held(fleet) == (1, 0)
    assert offered(fleet) == {"hanging": 0, "other": 1}


def test_who_is_let_go_by_a_semaphore_is_told_at_once_that_the_quota_is_short():
    fleet = fleet_with(slots=1)
    fleet.do(SetSemaphore("seat", 0))
    patient = c.PolicySpec(fail_unsatisfiable=False)
    submit(fleet, "a", semaphores=(("seat", 1),), policy=patient)
    submit(fleet, "b")
    fleet.place()
    fleet.do(SetSemaphore("seat", 1))
    assert text(fleet, "a") == "it needs 1 slot, and the quota of project p is 1: held by b (1)"


def test_nothing_is_remembered_of_a_project_without_runs():
    fleet = fleet_with(slots=2)
    submit(fleet, "a")
    fleet.work()
    assert fleet.state.tallies == {}


STEP = st.tuples(
    st.sampled_from(("submit", "place", "end", "set", "lose", "greedy", "reserve", "seat")), st.integers(0, 99)
)
LIMITS = st.builds(
    lambda slots, runs, gpus: {"slots": slots, "runs": runs, "devices": (("gpu", gpus),) if gpus is not None else ()},
    st.none() | st.integers(3, 6),
    st.none() | st.integers(1, 3),
    st.none() | st.integers(2, 4),
)


def usage(fleet):
    slots, devices = held(fleet)
    state = fleet.state
    begun = {one.run_id for one in fleet.of(e.AllocationOpened) if state.runs.get(one.run_id)}
    open_runs = [one for one in begun if state.runs[one].state < RunState.FINISHED and state.runs[one].project == "p"]
    return {"slots": slots, "gpu": devices, "runs": len(open_runs)}


def drawn(fleet, pick):
    name = f"run{len(fleet.state.requests)}"
    wishes = {"slots_min": 1 + pick % 3, "slots_max": max(1 + pick % 3, pick % 5)}
    if pick % 4 == 1:
        wishes["selector"] = 'device.class == "gpu"'
    if pick % 7 == 1:
        wishes["semaphores"] = (("seat", 1),)
    submit(fleet, name, project="q" if pick % 9 == 0 else "p", priority=pick % 2, **wishes)


@settings(max_examples=150, deadline=None)
@given(st.lists(STEP, max_size=30), LIMITS)
def test_never_is_more_held_than_a_quota_allowed_and_everybody_gets_their_turn(steps, limits):
    fleet = Fleet()
    fleet.join(slots=5, devices=GPUS)
    fleet.join("w2", slots=3, session="s2")
    fleet.do(SetSemaphore("seat", 3))
    fleet.do(SetQuota(Quota("p", **limits)))
    for name, pick in steps:
        quota, before = fleet.state.quotas["p"], usage(fleet)
        runs = list(fleet.state.runs)
        if name == "submit":
            drawn(fleet, pick)
        elif name == "place":
            fleet.place()
        elif name == "greedy" and runs:
            group_id = f"{runs[pick % len(runs)]}/default"
            fleet.do(c.ApplyPlan("plan", (c.ProposedAllocation(group_id, f"w{1 + pick % 2}", 1 + pick % 4),) * 2))
        elif name == "end" and runs:
            end(fleet, runs[pick % len(runs)])
        elif name == "set":
            fleet.do(SetQuota(Quota("p", 3 + pick % 3, 1 + pick % 2, (("gpu", 3),))))
        elif name == "lose":
            fleet.do(c.WorkerLost("w2", "lost"))
            fleet.join("w2", slots=3, session=f"s{pick}", incarnation=f"i{pick}")
        elif name == "reserve" and not fleet.state.reservations:
            project = "p" if pick % 2 else "q"
            fleet.do(MakeReservation(Reservation("r", project, "", 1, 0.0, fleet.now + 0.1, "", fleet.now)))
        elif name == "seat":
            fleet.do(SetSemaphore("seat", 1 + pick % 3))
        after = usage(fleet)
        most = {"slots": quota.slots, "runs": quota.runs, **dict(quota.devices)}
        for kind, limit in most.items():
            assert limit is None or after[kind] <= max(before[kind], limit), kind
    fleet.now += 1.0
    fleet.do(SetSemaphore("seat", 3))
    fleet.do(SetQuota(Quota("p", 3, 1, (("gpu", 3),))))
    fleet.do(c.PassTime())
    fleet.work()
    assert held(fleet) == (0, 0)
    assert {one.run_id for one in fleet.of(e.RunFinished)} == {one.run_id for one in fleet.of(e.RunSubmitted)}
