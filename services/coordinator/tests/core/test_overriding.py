"""Devices are as an administrator says, in every view, until that is taken back."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crossfleet.api.types.v1 import device_pb2
from crossfleet.coordinator.convert import plans
from crossfleet.coordinator.convert.fleet import view_now
from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.emitter import Rejection
from crossfleet.coordinator.core.override import DeviceOverridden, OverrideDevice
from crossfleet.coordinator.ledger import codec
from crossfleet.matching.explain import explain
from crossfleet.matching.fit import Eligible, eligible
from crossfleet.matching.messages import attribute_message, worker_from
from crossfleet.matching.misfit import Misfit, Wait
from crossfleet.matching.model import Device, Request
from crossfleet.matching.version import Version
from services.coordinator.tests.core.fleet import Fleet

GIB = 2**30
IDS = tuple(f"case-{number}" for number in range(20))
GPU = Device("g0", "gpu", {"memory": 24 * GIB, "driver": Version("550.54"), "model": "T4"}, {"memory": 24 * GIB})


def fleet_of(*devices: Device) -> Fleet:
    fleet = Fleet()
    fleet.join("w1", devices=devices or (GPU, Device("g1", "gpu")))
    return fleet


def override(fleet: Fleet, device: str = "g0", attributes: dict[str, Any] | None = None, **more: Any) -> Any:
    return fleet.do(OverrideDevice("w1", device, attributes or {}, author="anna", **more))


def fits(fleet: Fleet, selector: str) -> bool:
    return isinstance(
        eligible(Request(selector=selector), fleet.state.workers["w1"].view, fleet.state.selectors), Eligible
    )


def test_an_overridden_attribute_and_its_capacity_are_what_selectors_see_and_the_detectors_word_comes_back() -> None:
    fleet = fleet_of()
    override(fleet, attributes={"memory": 16 * GIB, "driver": Version("560.1"), "rack": "r7"})
    assert fits(
        fleet, 'device.memory == quantity("16Gi") && device.rack == "r7" && version(device.driver) > version("555")'
    )
    override(fleet, restore=("memory",))
    assert fits(fleet, 'device.memory == quantity("24Gi") && device.rack == "r7"')
    override(fleet, clear=True)
    assert fits(fleet, 'device.memory == quantity("24Gi") && version(device.driver) == version("550.54")')
    assert not fits(fleet, 'device.rack == "r7"')
    assert fleet.state.workers["w1"].overrides == {}


def test_a_near_miss_says_that_an_administrator_said_so() -> None:
    fleet = fleet_of(GPU)
    override(fleet, attributes={"memory": 16 * GIB})
    view = fleet.state.workers["w1"].view
    told = explain(Request(selector='device.memory > quantity("20Gi")'), [view], fleet.state.selectors)
    assert told.misses == ("g0 of w1: device.memory is 16Gi (overridden)",)


def test_what_the_worker_reports_later_is_overridden_as_well_and_counts_when_that_is_taken_back() -> None:
    fleet = fleet_of()
    override(fleet, attributes={"model": "T4-broken"})
    changed = Device("g0", "gpu", {"model": "T4", "driver": Version("570.1")}, conditions=frozenset({"stale"}))
    view = fleet.state.workers["w1"].reported
    fleet.do(c.WorkerChanged("w1", "s1", type(view)(view.name, devices=(changed,)), b""))
    assert fits(fleet, 'device.model == "T4-broken" && version(device.driver) == version("570.1")')
    fleet.join("w1", devices=(changed,), session="s2")
    assert fits(fleet, 'device.model == "T4-broken" && "stale" in device.conditions')
    override(fleet, restore=("model",))
    assert fits(fleet, 'device.model == "T4"')


def test_a_hidden_device_gets_nothing_new_and_what_holds_it_gives_it_back_and_no_request_may_tolerate_it() -> None:
    fleet = fleet_of(GPU)
    fleet.submit("run", IDS, request=Request(selector='device.class == "gpu"'))
    propose = c.ApplyPlan("plan", (c.ProposedAllocation("run/default", "w1", 1, ("g0",)),))
    assert fleet.do(propose).accepted
    override(fleet, hidden=True, reason="it smells")
    (closing,) = fleet.of(e.AllocationClosing)
    assert closing.cause == "device g0 of w1 is hidden: it smells"
    assert not fits(fleet, 'device.class == "gpu"')
    misfit = eligible(Request(selector='device.class == "gpu"'), fleet.state.workers["w1"].view, fleet.state.selectors)
    assert isinstance(misfit, Misfit)
    assert (misfit.wait, misfit.text) == (
        Wait.LATER,
        "1 device of the kind asked for on w1 is hidden by an administrator",
    )
    override(fleet, hidden=False)
    assert fits(fleet, 'device.class == "gpu"')
    assert fleet.state.workers["w1"].overrides == {}


def test_other_devices_and_what_holds_them_go_on() -> None:
    fleet = fleet_of()
    fleet.submit("run", IDS, request=Request(selector='device.class == "gpu"'))
    assert fleet.do(c.ApplyPlan("plan", (c.ProposedAllocation("run/default", "w1", 1, ("g1",)),))).accepted
    override(fleet, hidden=True)
    assert not fleet.of(e.AllocationClosing)


def test_an_override_waits_for_a_device_that_is_not_there_and_for_no_worker() -> None:
    fleet = fleet_of()
    override(fleet, device="g9", attributes={"rack": "r7"})
    assert not fits(fleet, 'device.rack == "r7"')
    fleet.join("w1", devices=(Device("g9", "gpu"),), session="s2")
    assert fits(fleet, 'device.rack == "r7"')
    refused = fleet.do(OverrideDevice("w9", "g0", {"a": 1}))
    assert isinstance(refused, Rejection)
    assert refused.reason == "WORKER_NOT_FOUND"


def test_taking_back_what_nobody_said_changes_nothing_and_there_is_a_limit() -> None:
    fleet = fleet_of()
    override(fleet, clear=True)
    assert not fleet.of(DeviceOverridden)
    refused = override(fleet, attributes={f"a{number}": number for number in range(65)})
    assert refused.reason == "STATE_CONFLICT"


names = st.sampled_from(["memory", "driver", "model", "rack", "tabs"])
values = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=10),
    st.sampled_from(["1.2", "550.54.14", "3.0rc1"]).map(Version),
    st.lists(st.text(max_size=5), max_size=3).map(tuple),
)
said: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    device=st.sampled_from(["g0", "g1", "g2"]),
    attributes=st.dictionaries(names, values, max_size=3),
    restore=st.lists(names, max_size=2).map(tuple),
    hidden=st.sampled_from([None, True, False]),
    clear=st.booleans(),
)


@given(st.lists(said, max_size=4))
def test_schedulers_see_what_the_coordinator_judges_by_and_a_ledger_keeps_it(sayings: list[dict[str, Any]]) -> None:
    fleet = fleet_of(GPU, Device("g1", "gpu", {"memory": 5}, {"memory": 8, "tabs": 4}))
    for saying in sayings:
        override(fleet, **saying)
    worker = fleet.state.workers["w1"]
    described = device_pb2.Worker(worker_id="w1", slots=2, runners=sorted(worker.view.runners))
    for device in worker.reported.devices:
        message = described.devices.add(
            device_id=device.id, device_class=device.device_class, capacities=device.capacities
        )
        for name, value in device.attributes.items():
            message.attributes[name].CopyFrom(attribute_message(value))
    worker.description = described.SerializeToString()
    judged = view_now(worker).devices
    assert worker_from(plans.described(fleet.state, worker)).devices == judged
    # Schedulers that know nothing of hidden devices see them as quarantined.
    also = [one.conditions | ({"quarantined"} if "hidden" in one.conditions else set()) for one in judged]
    assert [one.conditions for one in worker_from(plans.worker(fleet.state, worker)).devices] == also
    assert codec.decode_overrides(codec.encode_overrides(worker.overrides)) == worker.overrides
    facts = list(enumerate(fleet.of(DeviceOverridden)))
    assert codec.decode_events(codec.encode_events(facts)) == facts
