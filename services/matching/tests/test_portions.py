"""Portions of devices that several allocations hold at once."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfleet.api.types.v1 import device_pb2, suite_pb2
from crossfleet.matching.authoring import settle
from crossfleet.matching.check import check
from crossfleet.matching.explain import explain
from crossfleet.matching.fit import Eligible, eligible, fit, room
from crossfleet.matching.free import Fit, Free
from crossfleet.matching.messages import device_request_message, device_requests, request_from, worker_from
from crossfleet.matching.misfit import Code, Misfit, Wait
from crossfleet.matching.model import Device, DeviceRequest, Portion, Request, WorkerView
from crossfleet.matching.portions import selector_of, thousandths, together
from crossfleet.matching.request import RequestError, validate
from crossfleet.matching.selectors import Selectors
from crossfleet.matching.template import Alternative, Template

SELECTORS = Selectors()
GIB = 2**30


def gpu(number=0, memory=16, *, shareable=True, **more):
    return Device(f"gpu-{number}", "gpu", {}, {"memory": memory * GIB, "sessions": 3}, shareable=shareable, **more)


def host(*devices, slots=8):
    return WorkerView("w1", devices=devices, slots_total=slots, cpu_cores=float(slots))


def wants(memory=0, count=1, **amounts):
    """A slot with so much memory, in GiB, of each of some GPUs."""
    capacities = {**amounts, **({"memory": memory * GIB} if memory else {})}
    return Request(devices=(DeviceRequest("gpu", "", count, tuple(sorted(capacities.items()))),))


WHOLE = Request(devices=(DeviceRequest("gpu"),))


def placed(request, worker, free, most=0):
    found = fit(request, worker, free, SELECTORS, most=most)
    assert isinstance(found, Fit), found
    return found, free.minus(request, found.slots, found.device_ids, worker, found.taken)


def test_several_slots_share_a_device_as_long_as_enough_of_it_is_left():
    worker = host(gpu())
    first, free = placed(wants(6), worker, Free.whole(worker))
    assert first.devices == (("gpu-0",), ("gpu-0",))
    assert first.device_ids == ("gpu-0", "gpu-0")
    assert free.portions == (Portion("gpu-0", (("memory", 12 * GIB),)),)
    second, free = placed(wants(2), worker, free)
    assert second.slots == 2

    refused = fit(wants(1), worker, free, SELECTORS)
    assert isinstance(refused, Misfit)
    assert (refused.wait, refused.code) == (Wait.LATER, Code.BUSY)
    assert "a slot needs 1Gi of memory, gpu-0 has 0 of memory left" in refused.text


def test_the_scarcest_of_several_capacities_decides():
    worker = host(gpu())
    assert placed(wants(1, sessions=1), worker, Free.whole(worker))[0].slots == 3
    # What is not named is not counted.
    _, free = placed(wants(1, sessions=1), worker, Free.whole(worker))
    assert placed(wants(1), worker, free)[0].slots == 5


def test_who_names_no_amounts_has_the_device_alone():
    worker = host(gpu())
    whole, free = placed(WHOLE, worker, Free.whole(worker))
    assert whole.slots == 1
    assert isinstance(fit(wants(1), worker, free, SELECTORS), Misfit)
    _, free = placed(wants(1), worker, Free.whole(worker), most=1)
    assert isinstance(fit(WHOLE, worker, free, SELECTORS), Misfit)


def test_a_device_that_is_not_shareable_is_taken_whole_and_must_be_as_large():
    worker = host(gpu(shareable=False), gpu(1, 2, shareable=False))
    found, free = placed(wants(4), worker, Free.whole(worker))
    assert (found.devices, found.portions, free.devices) == ((("gpu-0",),), (), {"gpu-1"})


def test_what_is_partly_taken_is_filled_before_what_is_free():
    worker = host(gpu(), gpu(1), gpu(2, shareable=False))
    _, free = placed(wants(4), worker, Free.whole(worker).minus(WHOLE, 1, ("gpu-0",), worker), most=1)
    assert placed(wants(4), worker, free, most=3)[0].device_ids == ("gpu-1",) * 3
    assert placed(wants(4), worker, free)[0].device_ids == ("gpu-2", "gpu-1", "gpu-1", "gpu-1")
    assert placed(WHOLE, worker, free)[0].device_ids == ("gpu-2",)


def test_a_slot_that_asks_for_two_devices_gets_two_different_ones():
    worker = host(gpu(), gpu(1), gpu(2, 4))
    found, _ = placed(wants(4, count=2), worker, Free.whole(worker))
    assert found.slots == 4
    assert all(len(set(ids)) == 2 for ids in found.devices)


def test_a_proposal_names_a_device_once_for_each_slot_that_takes_of_it():
    worker = host(gpu(), gpu(1))
    free = Free.whole(worker)

    def judged(*ids, slots=2, request=None):
        return check(request or wants(6), worker, free, slots, ids, SELECTORS)

    assert judged("gpu-0", "gpu-0") == (("gpu-0",), ("gpu-0",))
    assert judged("gpu-0", "gpu-1") == (("gpu-0",), ("gpu-1",))
    for wrong in (judged("gpu-0"), judged("gpu-0", "gpu-0", "gpu-1"), judged(), judged("gpu-9", "gpu-0")):
        assert isinstance(wrong, Misfit)
    full = judged("gpu-0", "gpu-0", "gpu-0", slots=3)
    assert isinstance(full, Misfit)
    assert full.wait is Wait.LATER
    assert isinstance(judged("gpu-0", "gpu-0", request=WHOLE), Misfit)


def test_a_request_that_no_device_is_large_enough_for_is_told_how_large_they_are():
    found = explain(wants(32), [host(gpu())], SELECTORS)
    assert (found.wait, found.code) == (Wait.NEVER, Code.DEVICES)
    assert 'device.capacities["memory"] >= quantity("32Gi") holds on 0 of 1 device' in found.text
    assert found.misses == ("gpu-0 of w1: device.capacities.memory is 16Gi",)


@pytest.mark.parametrize(
    ("devices", "field", "words"),
    [
        ((DeviceRequest("", "", 1, (("memory", 1),)),), "devices[0].device_class", "name it"),
        ((DeviceRequest("cpu", "", 1, (("memory", 1),)),), "devices[0].capacities", "memory_bytes"),
        ((DeviceRequest("gpu", "", 1, (("memory", 1),)), DeviceRequest("gpu")), "devices[0].capacities", "one entry"),
        ((DeviceRequest(), DeviceRequest("gpu", "", 1, (("memory", 1),))), "devices[1].capacities", "one entry"),
        ((DeviceRequest("gpu", "", 1, (("memory", 0),)),), "devices[0].capacities['memory']", "leave it out"),
        ((DeviceRequest("gpu", "", 1, (("memroy", 1),)),), "devices[0].capacities", "did you mean 'memory'?"),
        ((DeviceRequest("gpu", "", 1, (("a b", 1),)),), "devices[0].capacities", "no name of a capacity"),
    ],
)
def test_an_amount_that_cannot_be_is_refused_with_its_field(devices, field, words):
    with pytest.raises(RequestError) as wrong:
        validate(Request(devices=devices), SELECTORS)
    assert wrong.value.field == field
    assert words in wrong.value.message
    alternatives = (Alternative("worker.slots > 1", 1.0), Alternative("", 0.0, devices))
    with pytest.raises(RequestError) as wrong:
        settle(Template(alternatives=alternatives), Request(), {}, SELECTORS)
    assert wrong.value.field == f"alternatives[1].{field}"


def test_schedulers_that_know_no_capacities_see_them_in_the_selector():
    demand = DeviceRequest("gpu", 'device.model == "a" || true', 2, (("memory", 5 * GIB), ("sessions", 2)))
    told = device_request_message(demand)
    assert told.selector == (
        '(device.model == "a" || true) && device.capacities["memory"] >= quantity("5Gi") && device.capacities["sessions"] >= 2'
    )
    assert device_requests([told])[0].capacities == demand.capacities
    plain = replace(demand, capacities=(), selector=told.selector)
    small, large = gpu(0, 4), gpu(1, 8)
    for one in (plain, demand):
        found = eligible(Request(devices=(replace(one, count=1),)), host(small, large), SELECTORS)
        assert isinstance(found, Eligible)
        assert found.candidates == (("gpu-1",),)


def test_messages_say_what_is_shareable_and_what_is_asked_for():
    device = device_pb2.Device(device_id="gpu-0", device_class="gpu", capacities={"memory": 3}, shareable=True)
    assert worker_from(device_pb2.Worker(worker_id="w", devices=[device])).shareable.keys() == {"gpu-0"}
    message = suite_pb2.Request(devices=[suite_pb2.DeviceRequest(device_class="gpu", capacities={"b": 2, "a": 1})])
    assert request_from(message, "", "").devices == (DeviceRequest("gpu", "", 1, (("a", 1), ("b", 2))),)


def test_a_portion_counts_by_the_capacity_of_which_it_has_most():
    assert thousandths(Portion("gpu-0", (("memory", 4 * GIB), ("sessions", 1))), gpu()) == 334
    assert thousandths(Portion("gpu-0", (("gone", 1),)), gpu()) == 1000
    assert selector_of((("memory", 3),)) == 'device.capacities["memory"] >= 3'


@given(st.one_of(st.integers(1, 2**63 - 1), st.integers(2**63 - 2**50, 2**63 - 1)))
def test_by_the_selector_of_an_amount_devices_are_meant_that_have_so_much_and_no_others(amount):
    selector = SELECTORS.compile(selector_of((("memory", amount),)))

    def holds(memory):
        device = Device("gpu-0", "gpu", {}, {"memory": memory})
        return SELECTORS.answer(selector, host(device), device).holds

    assert (holds(amount), holds(amount - 1)) == (True, False)


amounts = st.sampled_from([(("memory", 1),), (("memory", 3),), (("memory", 2), ("tabs", 1)), (("tabs", 1),)])
fleets = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 3), st.booleans(), st.sampled_from(["gpu", "npu"])), max_size=4
).map(
    lambda rows: tuple(
        Device(f"d{n}", kind, {}, {"memory": memory, "tabs": tabs}, shareable=shareable)
        for n, (memory, tabs, shareable, kind) in enumerate(rows)
    )
)
demands = st.builds(DeviceRequest, st.just("gpu"), count=st.integers(1, 2), capacities=st.one_of(st.just(()), amounts))
requests = st.builds(
    lambda one, more: Request(devices=(one, *more)),
    demands,
    st.sampled_from([(), (DeviceRequest("npu"),), (DeviceRequest("npu", "", 1, (("tabs", 1),)),)]),
)
loads = st.lists(st.tuples(requests, st.integers(0, 3)), max_size=5)


def filled(worker, load):
    """What is left when some requests got what they could, and what each got."""
    free, got = Free.whole(worker), []
    for request, most in load:
        found = fit(request, worker, free, SELECTORS, most=most)
        if isinstance(found, Fit):
            free = free.minus(request, found.slots, found.device_ids, worker, found.taken)
            got.append((request, found))
    return free, got


@given(fleets, loads)
def test_no_capacity_is_ever_oversubscribed(devices, load):
    worker = WorkerView("w", devices=devices, slots_total=20, cpu_cores=20.0)
    _, got = filled(worker, load)
    whole, parts = [], {one.id: dict.fromkeys(one.capacities, 0) for one in devices}
    for request, found in got:
        wanted = {one.device_class: dict(one.capacities) for one in request.devices}
        for ids in found.devices:
            assert len(set(ids)) == len(ids) == sum(one.count for one in request.devices)
            for device in (one for one in devices if one.id in ids):
                if not (device.shareable and wanted[device.device_class]):
                    whole.append(device.id)
                    continue
                for name, amount in wanted[device.device_class].items():
                    parts[device.id][name] += amount
    assert len(set(whole)) == len(whole)
    for device in devices:
        assert all(parts[device.id][name] <= have for name, have in device.capacities.items())
        assert device.id not in whole or not any(parts[device.id].values())


@given(fleets, loads, requests)
def test_there_is_room_for_exactly_what_can_be_placed_and_confirmed(devices, load, request):
    worker = WorkerView("w", devices=devices, slots_total=20, cpu_cores=20.0)
    free, _ = filled(worker, load)
    able = eligible(request, worker, SELECTORS)
    found = fit(request, worker, free, SELECTORS)
    slots = room(request, worker, free, able) if isinstance(able, Eligible) else 0
    assert slots == (found.slots if isinstance(found, Fit) else 0)
    if isinstance(found, Fit):
        assert isinstance(check(request, worker, free, slots, found.device_ids, SELECTORS), tuple)
        # Not one slot more, wherever its devices would lie.
        more = fit(request, worker, free, SELECTORS, least=slots + 1)
        assert isinstance(more, Misfit)


@given(fleets, loads, st.randoms(use_true_random=False))
def test_what_is_left_does_not_depend_on_the_order_in_which_it_was_taken(devices, load, random):
    worker = WorkerView("w", devices=devices, slots_total=20, cpu_cores=20.0)
    free, got = filled(worker, load)
    random.shuffle(got)
    again = Free.whole(worker)
    for request, found in got:
        again = again.minus(request, found.slots, found.device_ids, worker, found.taken)
    assert again == free
    assert together(free.portions) == free.portions
