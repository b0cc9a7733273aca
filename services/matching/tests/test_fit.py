"""Whether a request fits a worker."""

import pytest

from crossfleet.matching.check import check
from crossfleet.matching.fit import fit
from crossfleet.matching.free import Fit, Free
from crossfleet.matching.misfit import Code, Misfit, Wait
from crossfleet.matching.model import Device, DeviceRequest, Placement, Preference, Request, WorkerState, WorkerView
from crossfleet.matching.request import RequestError, validate
from crossfleet.matching.selectors import Selectors

SELECTORS = Selectors()
GPUS = tuple(Device(f"gpu-{n}", "gpu", {"model": "A100" if n else "T4"}, {"memory": (n + 1) * 2**33}) for n in range(3))
WORKER = WorkerView(
    "w1",
    labels={"zone": "eu"},
    devices=(Device("cpu-0", "cpu"), *GPUS),
    cpu_cores=8,
    memory_bytes=2**34,
    slots_total=4,
    runners=frozenset({"pytest"}),
)


def tried(request: Request, worker: WorkerView = WORKER, free: Free | None = None, **limits) -> Fit | Misfit:
    return fit(request, worker, free or Free.whole(worker), SELECTORS, **limits)


def code_of(found: Fit | Misfit) -> Code:
    assert isinstance(found, Misfit)
    return found.code


def test_an_empty_request_gets_every_slot():
    assert tried(Request()) == Fit(4)


def test_no_more_slots_are_given_than_asked_for():
    assert tried(Request(), most=3) == Fit(3)


@pytest.mark.parametrize(
    ("request_", "slots"),
    [
        (Request(cpu_cores=3), 2),
        (Request(cpu_cores=0.5), 4),
        (Request(memory_bytes=2**33), 2),
        (Request(devices=(DeviceRequest("gpu"),)), 3),
        (Request(devices=(DeviceRequest("gpu", count=2),)), 1),
        (Request('device.class == "gpu" && device.memory >= quantity("16Gi")'), 2),
        (Request('device.class == "cpu"'), 4),
        (Request("true", devices=(DeviceRequest("gpu", 'device.model == "A100"'),)), 2),
    ],
)
def test_the_scarcest_resource_decides(request_, slots):
    found = tried(request_)
    assert isinstance(found, Fit)
    assert found.slots == slots


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (Request('worker.labels.zone == "us"'), Code.SELECTOR),
        (Request('device.class == "npu"'), Code.SELECTOR),
        (Request(devices=(DeviceRequest("gpu", count=4),)), Code.DEVICES),
        (Request(cpu_cores=9), Code.CPU),
        (Request(memory_bytes=2**40), Code.MEMORY),
        (Request(runner="command"), Code.RUNNER),
        (Request("worker.nme"), Code.INVALID_SELECTOR),
    ],
)
def test_what_an_idle_worker_cannot_give_it_never_can(request_, code):
    found = tried(request_)
    assert isinstance(found, Misfit)
    assert (found.wait, found.code) == (Wait.NEVER, code)


def test_what_is_in_use_may_come_back_later():
    held = Free.whole(WORKER).minus(Request(), 4, (), WORKER)
    found = tried(Request(), free=held)
    assert isinstance(found, Misfit)
    assert (found.wait, found.code) == (Wait.LATER, Code.BUSY)


@pytest.mark.parametrize("state", [WorkerState.SUSPECT, WorkerState.DRAINING, WorkerState.LOST])
def test_nothing_fits_a_worker_that_is_not_ready(state):
    found = tried(Request(), WorkerView("w", state=state))
    assert isinstance(found, Misfit)
    assert (found.wait, found.code) == (Wait.LATER, Code.STATE)


def test_a_taint_keeps_away_what_does_not_tolerate_it():
    worker = WorkerView("w", taints=frozenset({"flaky"}))
    assert code_of(tried(Request(), worker)) is Code.TAINT
    assert tried(Request(tolerations=frozenset({"flaky"})), worker) == Fit(1)


@pytest.mark.parametrize(
    ("taint", "told"),
    [
        ("disk_full", "w is tainted disk_full, which passes"),
        ("upgrading", "w is tainted upgrading, which passes"),
        ("reserved:ml", "w is reserved for project ml"),
    ],
)
def test_what_a_worker_is_tainted_with_for_a_while_is_waited_for(taint, told):
    found = tried(Request(), WorkerView("w", taints=frozenset({taint})))
    assert isinstance(found, Misfit)
    assert (found.wait, found.text) == (Wait.LATER, told)
    assert code_of(tried(Request(), WorkerView("w", taints=frozenset({taint, "flaky"})))) is Code.TAINT
    never = tried(Request(cpu_cores=10_000.0), WorkerView("w", cpu_cores=1.0, taints=frozenset({taint})))
    assert isinstance(never, Misfit)
    assert never.wait is Wait.NEVER


def test_an_unhealthy_device_is_not_granted_and_a_throttled_one_is():
    def worker(condition: str) -> WorkerView:
        return WorkerView("w", devices=(Device("gpu-0", "gpu", conditions=frozenset({condition})),))

    assert isinstance(tried(Request('device.class == "gpu"'), worker("unhealthy")), Misfit)
    assert isinstance(tried(Request('device.class == "gpu"'), worker("thermal_throttled")), Fit)


def test_an_exclusive_request_takes_the_whole_worker_or_nothing():
    request = Request(exclusive=True)
    assert tried(request, most=2) == Fit(2)
    assert Free.whole(WORKER).minus(request, 2, (), WORKER).slots == 0
    used = Free.whole(WORKER).minus(Request(), 1, (), WORKER)
    assert code_of(tried(request, free=used)) is Code.BUSY


def test_what_is_left_beside_an_exclusive_request_does_not_depend_on_the_order():
    alone, other = Request(exclusive=True), Request(cpu_cores=2)
    first = Free.whole(WORKER).minus(alone, 1, (), WORKER).minus(other, 1, (), WORKER)
    assert first == Free.whole(WORKER).minus(other, 1, (), WORKER).minus(alone, 1, (), WORKER)


def test_overlapping_device_requests_are_matched_and_not_taken_greedily():
    request = Request(devices=(DeviceRequest("gpu"), DeviceRequest("gpu", 'device.model == "T4"')))
    found = tried(request)
    assert isinstance(found, Fit)
    assert found.slots == 1
    assert "gpu-0" in found.devices[0]
    assert len(set(found.devices[0])) == 2


def test_a_worker_that_shrank_below_what_it_holds_takes_nothing_more():
    shrunk = WorkerView("w1", slots_total=1, cpu_cores=1)
    overdrawn = Free.whole(shrunk).minus(Request(), 3, (), shrunk)
    assert code_of(tried(Request(), shrunk, overdrawn)) is Code.BUSY


def test_a_proposal_is_confirmed_with_the_devices_of_each_slot():
    request = Request('device.class == "gpu" && device.model == "A100"')
    assert check(request, WORKER, Free.whole(WORKER), 2, ("gpu-2", "gpu-1"), SELECTORS) == (("gpu-1",), ("gpu-2",))
    assert check(Request(), WORKER, Free.whole(WORKER), 2, (), SELECTORS) == ((), ())


@pytest.mark.parametrize(
    ("slots", "devices", "code"),
    [
        (1, ("gpu-0",), Code.DEVICES),
        (1, (), Code.DEVICES),
        (2, ("gpu-1",), Code.DEVICES),
        (1, ("gpu-1", "gpu-2"), Code.DEVICES),
        (1, ("gpu-1", "cpu-0"), Code.DEVICES),
        (0, (), Code.SLOTS),
        (5, ("gpu-1", "gpu-2"), Code.SLOTS),
    ],
)
def test_a_proposal_with_wrong_or_spare_devices_is_refused(slots, devices, code):
    request = Request('device.class == "gpu" && device.model == "A100"')
    found = check(request, WORKER, Free.whole(WORKER), slots, devices, SELECTORS)
    assert isinstance(found, Misfit)
    assert found.code is code


def test_a_proposal_of_devices_in_use_is_refused():
    request = Request('device.model == "A100"')
    free = Free.whole(WORKER).minus(request, 1, ("gpu-1",), WORKER)
    assert isinstance(check(request, WORKER, free, 1, ("gpu-1",), SELECTORS), Misfit)
    assert check(request, WORKER, free, 1, ("gpu-2",), SELECTORS) == (("gpu-2",),)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (Request("worker.nme"), "selector"),
        (Request(cpu_cores=float("nan")), "cpu_cores"),
        (Request(cpu_cores=-1), "cpu_cores"),
        (Request(memory_bytes=-1), "memory_bytes"),
        (Request(slots_min=5, slots_max=4), "slots_max"),
        (Request(slots_min=-1), "slots_min"),
        (Request(devices=(DeviceRequest(), DeviceRequest(count=0))), "devices[1].count"),
        (Request(devices=(DeviceRequest(selector="device."),)), "devices[0].selector"),
        (Request(devices=(DeviceRequest(),) * 17), "devices"),
        (Request(preferred=(Preference("worker.nme"),)), "preferred[0].selector"),
        (Request(preferred=(Preference("worker.cpu > 1.0"), Preference(""))), "preferred[1].selector"),
        (Request(preferred=(Preference("worker.cpu > 1.0", 1001),)), "preferred[0].weight"),
        (Request(preferred=(Preference("worker.cpu > 1.0"),) * 17), "preferred"),
        (Request(gang=2, placement=Placement.SPREAD), "placement"),
        (Request(tolerations=frozenset({"reserved:ml"})), "tolerations"),
        (Request(tolerations=frozenset({"hidden"})), "tolerations"),
        (Request(semaphores=(("seat", 0),)), "semaphores['seat']"),
        (Request(semaphores=tuple((f"s{number}", 1) for number in range(17))), "semaphores"),
    ],
)
def test_a_request_that_cannot_be_names_the_field(request_, field):
    with pytest.raises(RequestError) as caught:
        validate(request_, SELECTORS)
    assert caught.value.field == field


def test_a_sound_request_is_accepted():
    request = Request('device.class == "gpu"', 1.5, 2**30, (DeviceRequest("gpu"),), 1, 4)
    validate(request, SELECTORS)
    assert isinstance(tried(request), Fit)
