"""What holds for every request and worker."""

from hypothesis import given
from hypothesis import strategies as st

from crossfleet.matching.check import check
from crossfleet.matching.fit import fit
from crossfleet.matching.free import Fit, Free, slot_millicores
from crossfleet.matching.model import Device, DeviceRequest, Request, WorkerView
from crossfleet.matching.selectors import Selectors

SELECTORS = Selectors()
MODELS = ("a", "b")

devices = st.lists(
    st.builds(lambda kind, model: (kind, model), st.sampled_from(["gpu", "npu", "cpu"]), st.sampled_from(MODELS)),
    max_size=5,
).map(lambda kinds: tuple(Device(f"d{n}", kind, {"model": model}) for n, (kind, model) in enumerate(kinds)))
workers = st.builds(
    WorkerView,
    name=st.just("w"),
    devices=devices,
    cpu_cores=st.floats(0.1, 16),
    memory_bytes=st.integers(0, 2**34),
    slots_total=st.integers(0, 6),
)
demands = st.builds(
    DeviceRequest,
    device_class=st.sampled_from(["", "gpu", "npu", "cpu"]),
    selector=st.sampled_from(["", 'device.model == "a"']),
    count=st.integers(1, 3),
)
requests = st.builds(
    Request,
    selector=st.sampled_from(
        ["", 'device.class == "gpu"', "worker.cpu > 2", 'device.model == "b" && worker.slots > 1']
    ),
    cpu_cores=st.one_of(st.just(0.0), st.floats(0.1, 8)),
    memory_bytes=st.integers(0, 2**33),
    devices=st.lists(demands, max_size=2).map(tuple),
    exclusive=st.booleans(),
)


@given(requests, workers, st.lists(requests, max_size=3))
def test_placements_never_take_more_than_there_is(request, worker, others):
    free = Free.whole(worker)
    granted: list[str] = []
    shared = {device.id for device in worker.devices if device.shared}
    for one in (*others, request):
        found = fit(one, worker, free, SELECTORS)
        if isinstance(found, Fit):
            assert found.slots <= free.slots
            assert found.slots * slot_millicores(one, worker) <= free.cpu_millis
            assert found.slots * one.memory_bytes <= free.memory_bytes
            granted += [device for slot in found.devices for device in slot if device not in shared]
            free = free.minus(one, found.slots, found.device_ids, worker, found.taken)
    assert len(granted) == len(set(granted))


@given(requests, workers)
def test_every_slot_gets_the_devices_that_it_asked_for(request, worker):
    found = fit(request, worker, Free.whole(worker), SELECTORS)
    if isinstance(found, Fit) and request.devices:
        by_id = {device.id: device for device in worker.devices}
        for slot in found.devices:
            for demand in request.devices:
                fitting = [by_id[one] for one in slot if demand.device_class in ("", by_id[one].device_class)]
                assert len(fitting) >= demand.count
        assert len(found.devices) == found.slots
    else:
        assert found == fit(request, worker, Free.whole(worker), SELECTORS)


@given(requests, workers)
def test_what_fits_is_confirmed_as_a_proposal(request, worker):
    free = Free.whole(worker)
    found = fit(request, worker, free, SELECTORS)
    if isinstance(found, Fit):
        confirmed = check(request, worker, free, found.slots, found.device_ids, SELECTORS)
        assert isinstance(confirmed, tuple)
        assert len(confirmed) == found.slots


@given(requests, workers, st.integers(1, 6))
def test_fewer_slots_fit_where_more_do(request, worker, most):
    whole = fit(request, worker, Free.whole(worker), SELECTORS)
    part = fit(request, worker, Free.whole(worker), SELECTORS, most=most)
    assert isinstance(whole, Fit) == isinstance(part, Fit)
    if isinstance(whole, Fit) and isinstance(part, Fit):
        assert part.slots == min(whole.slots, most)
