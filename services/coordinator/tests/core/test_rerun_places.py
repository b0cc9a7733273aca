"""A case that failed is run again on another host or model of device, for which it waits a while where the fleet has one."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.evolve import evolve
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.outcomes import Outcome, RerunPlacement
from crossfleet.coordinator.core.rerun_facts import RerunsSought, SlotModels
from crossfleet.coordinator.core.view import group_view, wanted_slots
from crossfleet.coordinator.passing import pass_time as let_time_pass
from crossfleet.matching.model import Device, DeviceRequest, Request
from services.coordinator.tests.core.fleet import Fleet

GPU = Request(devices=(DeviceRequest("gpu"),))


def gpus(*models):
    """Devices of these models."""
    return tuple(Device(f"gpu-{number}", "gpu", {"model": model}) for number, model in enumerate(models))


def begun(fleet, request, *, placed=None, cases=1, **policy):
    """A collected run that holds one slot of the first worker, or what is `placed`."""
    more = {"max_reruns": 1, "rerun_placement": RerunPlacement.HOST, **policy}
    fleet.submit(policy=c.PolicySpec(max_cases_per_task=1, **more), request=request)
    proposals = placed or (c.ProposedAllocation("run/default", "w1", 1, ("gpu-0",) if request.devices else ()),)
    for allocation in fleet.do(c.ApplyPlan("first", proposals)).accepted:
        fleet.collect(allocation, [f"m::t{number}" for number in range(cases)])
    return fleet.state.groups["run/default"]


def fail(fleet):
    (attempt,) = fleet.live()
    fleet.finish(attempt, outcome=Outcome.FAILED)
    return attempt


def take_up(fleet):
    """The scheduler gives what the run asks for; answers on which workers, which then have what was collected."""
    opened = fleet.place()
    group = fleet.state.groups["run/default"]
    assert not group.sought or not wanted_slots(fleet.state, group), "no more than that is sought"
    for allocation in opened:
        if not fleet.state.allocations[allocation].ready:
            fleet.collect(allocation, [one.case_id for one in group.cases])
    return [fleet.state.allocations[one].worker_id for one in opened]


def pass_time(fleet, seconds):
    fleet.now += seconds
    fleet.do(c.PassTime())


@pytest.mark.parametrize(
    ("models", "expected"),
    [(("T4", "T4", "A100"), "A100"), (("T4", "T4"), "T4"), (("T4", "A100", "H100"), "A100")],
)
def test_a_case_is_run_again_with_another_model_of_device_where_the_run_has_one(models, expected):
    fleet = Fleet()
    fleet.join("w1", 3, devices=gpus(*models))
    request = GPU
    ids = tuple(f"gpu-{number}" for number in range(len(models)))
    whole = (c.ProposedAllocation("run/default", "w1", len(models), ids),)
    begun(fleet, request, placed=whole, other_model=True)
    first = fail(fleet)
    (again,) = fleet.live()
    told = dict(fleet.of(SlotModels)[0].models)
    assert told[first.slot] == ("T4",)
    assert told[again.slot] == (expected,)
    assert again.slot != first.slot


def test_another_model_counts_more_than_another_host():
    fleet = Fleet()
    fleet.join("w1", 2, devices=gpus("T4", "A100"))
    fleet.join("w2", 1, session="s2", devices=gpus("T4"))
    placed = (
        c.ProposedAllocation("run/default", "w1", 2, ("gpu-0", "gpu-1")),
        c.ProposedAllocation("run/default", "w2", 1, ("gpu-0",)),
    )
    begun(fleet, GPU, placed=placed, other_model=True)
    first = fail(fleet)
    (again,) = fleet.live()
    assert (first.worker_id, again.worker_id) == ("w1", "w1")
    assert again.slot != first.slot


@pytest.mark.parametrize("wait", [0.0, 30.0])
def test_what_the_run_does_not_hold_is_asked_for_as_long_as_is_waited(wait):
    fleet = Fleet()
    fleet.join("w1", 2)
    group = begun(fleet, Request(slots_max=2), rerun_wait=wait)
    fleet.join("w2", 2, session="s2")
    fail(fleet)
    if not wait:
        assert [one.worker_id for one in fleet.live()] == ["w1"]
        return
    assert not fleet.live(), "the slot where it failed is free, and not for it"
    assert wanted_slots(fleet.state, group) == 1
    assert take_up(fleet) == ["w2"]
    (again,) = fleet.live()
    assert again.worker_id == "w2"
    assert not group.sought
    fleet.work()
    assert fleet.of(e.RunFinished)


def test_a_case_that_rests_first_waits_for_another_host_afterwards():
    fleet = Fleet()
    fleet.join("w1", 2)
    group = begun(fleet, Request(), rerun_wait=30.0, rerun_delay=5.0)
    fleet.join("w2", 2, session="s2")
    fail(fleet)
    assert not group.sought
    pass_time(fleet, 5.0)
    assert not fleet.live()
    assert take_up(fleet) == ["w2"]
    assert [one.worker_id for one in fleet.live()] == ["w2"]


def test_a_run_that_has_waited_in_vain_asks_for_any_worker_again():
    fleet = Fleet()
    fleet.join("w1", 1)
    group = begun(fleet, Request(), rerun_wait=30.0)
    fleet.join("w2", 1, session="s2")
    fail(fleet)
    fleet.do(c.WorkerLost("w1", "gone"))
    fleet.do(c.DrainWorker("w2", drain=True, reason="repair"))
    fleet.join("w1", 1, incarnation="i2", session="s3")
    assert fleet.place() == ()
    assert group_view(fleet.state, group).selector
    pass_time(fleet, 31.0)
    assert not group_view(fleet.state, group).selector
    assert take_up(fleet) == ["w1"]


async def test_time_passes_for_a_case_that_waits_for_another_host_though_its_run_holds_nothing():
    fleet = Fleet()
    fleet.join("w1", 1)
    group = begun(fleet, Request(), rerun_wait=30.0)
    fleet.join("w2", 1, session="s2")
    fail(fleet)
    fleet.do(c.WorkerLost("w1", "gone"))
    assert group.sought
    assert not group.allocations

    class Turns:
        left = 2

        def now(self):
            return fleet.now

        async def sleep(self, seconds):
            self.left -= 1
            if not self.left:
                raise asyncio.CancelledError

    writer: Any = SimpleNamespace(state=fleet.state)
    clock: Any = Turns()
    passed = []

    async def commit(command):
        passed.append(command)

    with pytest.raises(asyncio.CancelledError):
        await let_time_pass(writer, commit, clock)
    assert passed == [c.PassTime()]


def test_a_case_goes_back_to_where_it_failed_when_it_has_waited_in_vain():
    fleet = Fleet()
    fleet.join("w1", 1)
    begun(fleet, Request(slots_max=2), rerun_wait=30.0)
    fleet.join("w2", 1, session="s2")
    fleet.submit("other", ["m::long"])
    fleet.do(c.ApplyPlan("busy", (c.ProposedAllocation("other/default", "w2", 1),)))
    for attempt in [one for one in fleet.live() if one.run_id == "run"]:
        fleet.finish(attempt, outcome=Outcome.FAILED)
    assert fleet.place() == ()
    pass_time(fleet, 29.0)
    assert [one.run_id for one in fleet.live()] == ["other"] * len(fleet.live())
    pass_time(fleet, 2.0)
    assert [one.worker_id for one in fleet.live() if one.run_id == "run"] == ["w1"]


@pytest.mark.parametrize(
    ("policy", "others"),
    [
        ({"other_model": True}, {"devices": gpus("T4")}),
        ({"other_model": False}, {"runners": ("go",)}),
        ({"rerun_placement": RerunPlacement.SLOT}, {}),
        ({"slots_max": 1}, {}),
    ],
)
def test_nothing_is_waited_for_that_the_fleet_does_not_have_or_the_run_may_not(policy, others):
    policy, fleet = dict(policy), Fleet()
    fleet.join("w1", 1, devices=gpus("T4"))
    request = GPU if policy.get("other_model") else Request(slots_max=policy.pop("slots_max", 2))
    begun(fleet, request, rerun_wait=30.0, **policy)
    fleet.join("w2", 1, session="s2", **others)
    fail(fleet)
    assert [one.worker_id for one in fleet.live()] == ["w1"]
    assert not fleet.of(RerunsSought)


def test_a_run_with_other_work_left_takes_slots_anywhere_meanwhile():
    fleet = Fleet()
    fleet.join("w1", 2)
    group = begun(fleet, Request(slots_max=4), cases=3, rerun_wait=30.0)
    fleet.join("w2", 1, session="s2")
    fail(fleet)
    assert group.sought
    assert group_view(fleet.state, group).selector == ""
    (second,) = fleet.live()
    fleet.finish(second)
    assert [one.worker_id for one in fleet.live()] == ["w1"]
    assert group_view(fleet.state, group).selector == '!(worker.name in ["w1"])'


def test_a_device_of_the_model_where_a_case_failed_is_refused_while_another_one_is_sought():
    fleet = Fleet()
    fleet.join("w1", 1, devices=gpus("T4"))
    begun(fleet, GPU, other_model=True, rerun_wait=30.0)
    fleet.join("w2", 2, session="s2", devices=gpus("T4", "A100"))
    fail(fleet)
    proposal = c.ProposedAllocation("run/default", "w2", 1, ("gpu-0",))
    assert fleet.do(c.ApplyPlan("same", (proposal,))).refused
    assert take_up(fleet) == ["w2"]
    assert fleet.of(SlotModels)[-1].models[0][1] == ("A100",)


def test_another_leader_waits_for_the_same():
    fleet = Fleet()
    fleet.join("w1", 1, devices=gpus("T4"))
    begun(fleet, GPU, other_model=True, rerun_wait=30.0)
    fleet.join("w2", 1, session="s2", devices=gpus("A100"))
    fail(fleet)
    again = State()
    for event in fleet.events:
        evolve(again, event)
    before, after = fleet.state.groups["run/default"], again.groups["run/default"]
    assert before.sought
    assert (after.sought, after.failed_models) == (before.sought, before.failed_models)
