"""Devices of which several allocations hold portions: given, counted, given back."""

from dataclasses import replace

import pytest

from crossfleet.api.types.v1.run_pb2 import RunSpec
from crossfleet.api.types.v1.suite_pb2 import Target
from crossfleet.coordinator.convert.allocations import Specs, open_allocation
from crossfleet.coordinator.convert.plans import allocation as row_of
from crossfleet.coordinator.convert.plans import group as group_row
from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.places import PortionsTaken
from crossfleet.coordinator.core.usage import held_parts
from crossfleet.coordinator.core.view import free_of
from crossfleet.coordinator.ledger import codec
from crossfleet.matching.model import Device, DeviceRequest, Portion, Request
from services.coordinator.tests.core.fleet import Fleet
from services.coordinator.tests.core.test_planning import IDS, plan
from services.coordinator.tests.core.test_spare import hanging, pass_time

GPU = Device("gpu0", "gpu", {}, {"memory": 16}, shareable=True)
WHOLE = Request(devices=(DeviceRequest("gpu"),))


def memory(amount: int) -> Request:
    return Request(devices=(DeviceRequest("gpu", "", 1, (("memory", amount),)),))


def sharing(*requests: Request) -> Fleet:
    """A worker with one device, and a run for each request."""
    fleet = Fleet()
    for number, request in enumerate(requests):
        fleet.submit(f"run{number}", cases=IDS, request=request)
    fleet.join("w1", slots=8, devices=(GPU,))
    return fleet


def taken(fleet: Fleet):
    return free_of(fleet.state, fleet.state.workers["w1"]).portions


def test_several_runs_hold_portions_of_one_device_and_no_more_than_there_is():
    fleet = sharing(memory(6), memory(4), WHOLE)
    answer = plan(
        fleet,
        ("run0/default", "w1", 2, ("gpu0", "gpu0")),
        ("run1/default", "w1", 1, ("gpu0",)),
        ("run1/default", "w1", 1, ("gpu0",)),
        ("run2/default", "w1", 1, ("gpu0",)),
    )
    assert answer.accepted == ("a1", "a2")
    assert [(one.index, one.reason) for one in answer.refused] == [
        (2, "RESOURCES_UNAVAILABLE"),
        (3, "RESOURCES_UNAVAILABLE"),
    ]
    assert "a slot needs 4 of memory, gpu0 has 0 of memory left" in answer.refused[0].text
    assert taken(fleet) == (Portion("gpu0", (("memory", 16),)),)


@pytest.mark.parametrize(
    ("first", "second", "room"), [(WHOLE, WHOLE, False), (memory(10), memory(6), True), (memory(10), memory(7), False)]
)
def test_a_device_that_two_workers_of_a_host_offer_is_one_device(first, second, room):
    fleet = Fleet()
    for number, request in enumerate((first, second)):
        fleet.submit(f"run{number}", cases=IDS, request=request)
    for name, host in (("w1", "h"), ("w2", "h"), ("w3", "other")):
        fleet.join(name, session=f"s-{name}", slots=8, devices=(GPU,), host=host)
    answer = plan(fleet, ("run0/default", "w1", 1, ("gpu0",)), ("run1/default", "w2", 1, ("gpu0",)))
    assert len(answer.accepted) == 1 + room
    elsewhere = plan(fleet, ("run0/default", "w2", 1, ("gpu0",)), ("run0/default", "w3", 1, ("gpu0",)))
    assert len(elsewhere.accepted) == 1, "not on the other worker of the host, but on another host"


def test_a_device_that_a_run_has_whole_is_shared_with_nobody():
    fleet = sharing(WHOLE, memory(1))
    answer = plan(fleet, ("run0/default", "w1", 1, ("gpu0",)), ("run1/default", "w1", 1, ("gpu0",)))
    assert answer.accepted == ("a1",)
    assert taken(fleet) == ()


def test_a_portion_is_free_again_with_its_slot_and_the_rest_with_the_allocation():
    fleet = hanging(request=memory(5), devices=(GPU,))
    assert taken(fleet) == (Portion("gpu0", (("memory", 15),)),)
    pass_time(fleet)
    assert taken(fleet) == (Portion("gpu0", (("memory", 15),)),)  # nobody else may get it before the slots are gone

    fleet.let_go()
    held = fleet.state.allocations["a1"]
    assert taken(fleet) == (Portion("gpu0", (("memory", 5 * len(held.slots)),)),)
    fleet.work()
    assert taken(fleet) == ()
    assert free_of(fleet.state, fleet.state.workers["w1"]).devices == {"gpu0"}


def test_schedulers_and_workers_are_told_what_is_taken():
    fleet, spec = Fleet(), RunSpec(targets=[Target(name="default")])
    fleet.submit("run0", cases=IDS, request=memory(6), spec=spec.SerializeToString())
    fleet.join("w1", slots=8, devices=(GPU,))
    plan(fleet, ("run0/default", "w1", 2, ("gpu0", "gpu0")))
    held = fleet.state.allocations["a1"]
    row = row_of(held)
    assert (list(row.device_ids), [dict(one.capacities) for one in row.portions]) == (["gpu0"], [{"memory": 12}])

    order = open_allocation(fleet.state, held, Specs()).open_allocation
    slots = [(list(one.device_ids), [dict(each.capacities) for each in one.portions]) for one in order.devices]
    assert slots == [(["gpu0"], [{"memory": 6}])] * 2

    (asked,) = group_row(fleet.state, fleet.state.groups["run0/default"]).request.devices
    assert (dict(asked.capacities), asked.selector) == ({"memory": 6}, 'device.capacities["memory"] >= 6')


def test_a_project_holds_as_much_of_a_device_as_its_portions_are():
    fleet = sharing(memory(4))
    plan(fleet, ("run0/default", "w1", 2, ("gpu0", "gpu0")))
    assert held_parts(fleet.state)["p"]["gpu"] == pytest.approx(0.5)


def test_what_is_taken_is_a_fact_that_an_earlier_version_may_leave_out():
    fleet = sharing(memory(4))
    plan(fleet, ("run0/default", "w1", 1, ("gpu0",)))
    (fact,) = fleet.of(PortionsTaken)
    assert codec.decode_events(codec.encode_events([(0, fact)])) == [(0, fact)]
    assert codec._NUMBERS[85] is PortionsTaken
    assert 85 in codec._ADDITIONS
    # It takes the device for held whole then: what it gives away is too little, never too much.
    fleet.state.allocations["a1"].portions.clear()
    refused = plan(fleet, ("run0/default", "w1", 1, ("gpu0",))).refused
    assert [one.reason for one in refused] == ["RESOURCES_UNAVAILABLE"]


def test_a_device_that_becomes_shareable_stays_with_who_has_it_whole():
    alone = Device("gpu0", "gpu", {}, {"memory": 16})
    fleet = Fleet()
    fleet.submit("run0", cases=IDS, request=memory(4))
    fleet.submit("run1", cases=IDS, request=memory(4))
    fleet.join("w1", slots=8, devices=(alone,))
    plan(fleet, ("run0/default", "w1", 1, ("gpu0",)))
    assert fleet.of(e.AllocationOpened)
    assert not fleet.of(PortionsTaken)
    fleet.do(c.WorkerChanged("w1", "s1", replace(fleet.state.workers["w1"].view, devices=(GPU,)), b""))
    answer = plan(fleet, ("run1/default", "w1", 1, ("gpu0",)))
    assert answer.accepted == ()
