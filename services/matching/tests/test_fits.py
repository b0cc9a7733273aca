"""What a scheduler is told that wants fits: whoever goes by that proposes what the coordinator would accept."""

from hypothesis import given
from hypothesis import strategies as st

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.api.types.v1 import device_pb2, suite_pb2
from crossfleet.matching.check import check
from crossfleet.matching.explain import explain
from crossfleet.matching.fit import fit
from crossfleet.matching.fits import Fits
from crossfleet.matching.free import Fit, Free
from crossfleet.matching.messages import attribute_message, portions_from, request_from, state_from, worker_from
from crossfleet.matching.misfit import Misfit
from crossfleet.matching.selectors import Selectors

SELECTORS = Selectors()
SELECTOR_TEXTS = ("", 'device.model == "a"', "worker.cpu > 2", 'worker.labels.zone == "eu"', "worker.nonsense ==")


def device(name, kind, model, conditions=(), memory=0):
    """One with ``memory`` is shareable."""
    made = device_pb2.Device(device_id=name, device_class=kind, conditions=conditions, shareable=memory > 0)
    made.attributes["model"].CopyFrom(attribute_message(model))
    if memory:
        made.capacities["memory"] = memory
    return made


devices = st.lists(
    st.tuples(
        st.sampled_from(["gpu", "npu", "cpu"]),
        st.sampled_from("ab"),
        st.sampled_from([(), ("unhealthy",)]),
        st.sampled_from([0, 8, 20]),
    ),
    max_size=5,
).map(lambda kinds: [device(f"d{number}", *kind) for number, kind in enumerate(kinds)])
workers = st.builds(
    device_pb2.Worker,
    slots=st.integers(1, 5),
    cpu_cores=st.sampled_from([1.0, 2.5, 4.0]),
    memory_bytes=st.sampled_from([0, 2**30, 2**32]),
    devices=devices,
    host=st.sampled_from(["", "h1", "h2"]),
    labels=st.sampled_from([{}, {"zone": "eu"}]),
    taints=st.sampled_from([(), ("odd",)]),
    state=st.sampled_from([device_pb2.WORKER_STATE_READY, device_pb2.WORKER_STATE_DRAINING]),
    runners=st.just(["pytest"]),
)
asked = st.builds(
    suite_pb2.Request,
    cpu_cores=st.sampled_from([0.0, 0.5, 2.0]),
    memory_bytes=st.sampled_from([0, 2**29]),
    exclusive=st.booleans(),
    tolerations=st.sampled_from([(), ("odd",)]),
    devices=st.lists(
        st.builds(suite_pb2.DeviceRequest, device_class=st.sampled_from(["", "gpu", "cpu"]), count=st.integers(1, 2)),
        max_size=1,
    )
    | st.lists(
        st.builds(
            suite_pb2.DeviceRequest,
            device_class=st.just("gpu"),
            count=st.integers(1, 2),
            capacities=st.sampled_from([{}, {"memory": 3}, {"memory": 8}]),
        ),
        max_size=1,
    ),
)
groups = st.builds(
    scheduler_pb2.TaskGroup,
    selector=st.sampled_from(SELECTOR_TEXTS),
    request=asked,
    wanted_slots=st.integers(0, 4),
    runner=st.sampled_from(["pytest", "go"]),
    priority=st.integers(0, 2),
)


def snapshot_of(workers, groups, allocations=()):
    for number, one in enumerate(workers):
        one.worker_id = f"w{number}"
    for number, one in enumerate(groups):
        one.group_id = f"g{number}"
    return scheduler_pb2.Snapshot(workers=workers, groups=groups, allocations=allocations)


def devices_of(candidate, free, slots):
    """The devices of so many slots, in the order in which they are told; None where there are not so many."""
    whole, chosen = list(free.device_ids), list(candidate.shared_device_ids)
    rest = {name: dict(one.capacities) for name, one in free.left.items()}
    for _ in range(slots):
        for choice in candidate.choices:
            own = [one for one in choice.device_ids if does(choice, one, whole, rest)]
            # Of those that slots share first the one of which most is left, so that a slot with several finds others yet.
            own.sort(key=lambda one: -rest.get(one, {}).get("memory", 0))
            if len(own) < choice.count:
                return None
            for one in own[: choice.count]:
                whole = [other for other in whole if other != one]
                if choice.takes and one in rest:
                    for name, amount in choice.takes.items():
                        rest[one][name] -= amount
                else:
                    rest.pop(one, None)
            chosen += own[: choice.count]
    return tuple(chosen)


def does(choice, one, whole, rest):
    if choice.takes and one in rest:
        return all(rest[one].get(name, 0) >= amount for name, amount in choice.takes.items())
    return one in whole


def room(request, candidate, free):
    """How many slots a scheduler finds that knows no more than it is told."""
    if request.exclusive and not free.idle:
        return 0
    slots = free.slots
    if candidate.millicores:
        slots = min(slots, free.millicores // candidate.millicores)
    if candidate.memory_bytes:
        slots = min(slots, free.memory_bytes // candidate.memory_bytes)
    while slots > 0 and devices_of(candidate, free, slots) is None:
        slots -= 1
    return max(slots, 0)


@given(st.lists(workers, min_size=1, max_size=3), st.lists(groups, min_size=1, max_size=3), st.data())
def test_who_goes_by_fits_finds_as_many_slots_as_the_coordinator_and_is_never_refused(workers, groups, data):
    snapshot = snapshot_of(workers, groups)
    Fits().add_to(snapshot)
    group = data.draw(st.sampled_from(groups), label="group")
    row = next(one for one in snapshot.groups if one.group_id == group.group_id)
    request = request_from(group.request, group.selector, group.runner)
    candidates = {one.worker_id: one for one in snapshot.fits[row.fit].candidates} if row.fit else {}
    assert bool(row.fit) == (group.wanted_slots > 0)
    for one in workers:
        view = worker_from(one, state_from(one.state))
        whole = Free.whole(view)
        found = fit(request, view, whole, SELECTORS)
        candidate = candidates.get(one.worker_id)
        slots = room(request, candidate, snapshot.free[one.worker_id]) if candidate else 0
        if row.fit:
            assert slots == (found.slots if isinstance(found, Fit) else 0)
        if slots:
            ids = devices_of(candidate, snapshot.free[one.worker_id], slots)
            assert not isinstance(check(request, view, whole, slots, ids, SELECTORS), Misfit)


@given(workers, groups, st.integers(1, 3))
def test_what_is_free_is_what_allocations_leave_those_of_groups_that_are_gone_too(worker, group, held):
    allocations = [
        scheduler_pb2.Allocation(allocation_id="a1", group_id="g0", worker_id="w0", slots=held),
        scheduler_pb2.Allocation(allocation_id="a2", group_id="gone", worker_id="w0", slots=1, closing=True),
    ]
    snapshot = snapshot_of([worker], [group], allocations)
    Fits().add_to(snapshot)
    view = worker_from(worker)
    request = request_from(group.request, group.selector, group.runner)
    left = Free.whole(view).minus(request, held, (), view).minus(request_from(suite_pb2.Request(), "", ""), 1, (), view)
    told = snapshot.free["w0"]
    assert (told.slots, told.millicores, told.memory_bytes) == (left.slots, left.cpu_millis, left.memory_bytes)
    assert not told.idle
    assert told.host == (worker.host or "worker w0")


def test_a_device_of_which_somebody_holds_a_portion_is_not_free():
    gpus = [device(f"gpu-{number}", "gpu", "a") for number in range(2)]
    for one in gpus:
        one.shareable = True
        one.capacities["memory"] = 2**34
    ready = device_pb2.WORKER_STATE_READY
    worker = device_pb2.Worker(slots=4, cpu_cores=4, state=ready, runners=["pytest"], devices=gpus)
    group = scheduler_pb2.TaskGroup(wanted_slots=4, runner="pytest")
    group.request.devices.add(device_class="gpu", capacities={"memory": 2**32})
    held = scheduler_pb2.Allocation(allocation_id="a1", group_id="g0", worker_id="w0", slots=1, device_ids=["gpu-0"])
    held.portions.add(device_id="gpu-0", capacities={"memory": 2**32})
    snapshot = snapshot_of([worker], [group], [held])
    Fits().add_to(snapshot)
    (candidate,) = snapshot.fits[snapshot.groups[0].fit].candidates
    assert [[*one.device_ids] for one in candidate.choices] == [["gpu-0", "gpu-1"]]
    assert [*snapshot.free["w0"].device_ids] == ["gpu-1"]
    assert candidate.choices[0].takes == {"memory": 2**32}
    left = {name: one.capacities["memory"] for name, one in snapshot.free["w0"].left.items()}
    assert left == {"gpu-0": 2**34 - 2**32, "gpu-1": 2**34}
    assert room(request_from(group.request, "", "pytest"), candidate, snapshot.free["w0"]) == 3  # it has 3 slots left


@given(
    st.lists(st.sampled_from([0, 8, 20]), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 3, 7])), max_size=3),
    st.sampled_from([3, 8]),
    st.integers(1, 2),
)
def test_who_goes_by_what_is_left_of_devices_shares_them_as_the_coordinator_allows(memories, taken, amount, count):
    gpus = [device(f"gpu-{number}", "gpu", "a", memory=memory) for number, memory in enumerate(memories)]
    ready = device_pb2.WORKER_STATE_READY
    worker = device_pb2.Worker(slots=12, cpu_cores=12, state=ready, runners=["pytest"], devices=gpus)
    group = scheduler_pb2.TaskGroup(wanted_slots=12, runner="pytest")
    group.request.devices.add(device_class="gpu", count=count, capacities={"memory": amount})
    allocations: list[scheduler_pb2.Allocation] = []
    for number, part in taken:
        if number < len(gpus) and (not part or part <= memories[number]):
            held = scheduler_pb2.Allocation(allocation_id=f"a{len(allocations)}", worker_id="w0", slots=1)
            held.device_ids.append(f"gpu-{number}")
            if part:
                held.portions.add(device_id=f"gpu-{number}", capacities={"memory": part})
            allocations.append(held)
    snapshot = snapshot_of([worker], [group], allocations)
    Fits().add_to(snapshot)
    view, request = worker_from(worker), request_from(group.request, "", "pytest")
    free = Free.whole(view)
    for one in allocations:
        portions = portions_from(one.portions)
        free = free.minus(request_from(suite_pb2.Request(), "", ""), 1, tuple(one.device_ids), view, portions)
    found = fit(request, view, free, SELECTORS)
    candidates = snapshot.fits[snapshot.groups[0].fit].candidates
    slots = room(request, candidates[0], snapshot.free["w0"]) if candidates else 0
    assert slots <= (found.slots if isinstance(found, Fit) else 0)
    if count == 1:
        assert slots == (found.slots if isinstance(found, Fit) else 0)
    if slots:
        ids = devices_of(candidates[0], snapshot.free["w0"], slots)
        assert not isinstance(check(request, view, free, slots, ids, SELECTORS), Misfit)


def test_candidates_of_a_gang_have_room_for_its_slots_on_one_worker_and_too_few_of_them_are_told():
    ready, draining = device_pb2.WORKER_STATE_READY, device_pb2.WORKER_STATE_DRAINING

    def told(states, gang):
        fleet = [
            device_pb2.Worker(slots=slots, cpu_cores=slots, state=state, runners=["pytest"]) for slots, state in states
        ]
        group = scheduler_pb2.TaskGroup(wanted_slots=2 * gang, runner="pytest")
        group.request.gang, group.request.slots_min = gang, 2
        snapshot = snapshot_of(fleet, [group])
        Fits().add_to(snapshot)
        found = snapshot.fits[snapshot.groups[0].fit]
        return [one.worker_id for one in found.candidates], found.waiting.kind

    never, later = scheduler_pb2.WAITING_KIND_NEVER, scheduler_pb2.WAITING_KIND_LATER
    assert told([(2, ready), (1, ready), (4, ready)], 2) == (["w0", "w2"], later)
    assert told([(2, ready), (1, ready), (4, ready)], 3) == (["w0", "w2"], never)
    assert told([(2, ready), (2, draining), (4, ready)], 3) == (["w0", "w2"], later)


def test_a_device_that_is_held_on_another_worker_of_its_host_is_not_free():
    ready = device_pb2.WORKER_STATE_READY
    workers_of_hosts = [
        device_pb2.Worker(slots=2, cpu_cores=2, state=ready, runners=["pytest"], host=host)
        for host in ("here", "here", "there")
    ]
    for one in workers_of_hosts:
        one.devices.extend(device(f"gpu-{number}", "gpu", "a") for number in range(2))
    group = scheduler_pb2.TaskGroup(wanted_slots=4, runner="pytest")
    group.request.devices.add(device_class="gpu")
    held = scheduler_pb2.Allocation(allocation_id="a1", group_id="g0", worker_id="w0", slots=1, device_ids=["gpu-0"])
    snapshot = snapshot_of(workers_of_hosts, [group], [held])
    Fits().add_to(snapshot)
    free = {name: [*one.device_ids] for name, one in snapshot.free.items()}
    assert free == {"w0": ["gpu-1"], "w1": ["gpu-1"], "w2": ["gpu-0", "gpu-1"]}


def test_who_is_due_first_is_judged_first_where_not_all_can_be():
    worker = device_pb2.Worker(slots=2, cpu_cores=2, state=device_pb2.WORKER_STATE_READY, runners=["pytest"])
    early = scheduler_pb2.TaskGroup(wanted_slots=1, runner="pytest", submitted_unix_seconds=1e6)
    due = scheduler_pb2.TaskGroup(wanted_slots=1, runner="pytest", submitted_unix_seconds=1e6 + 10)
    due.request.cpu_cores, due.deadline_unix_seconds = 1.0, 1e6 + 100
    snapshot = snapshot_of([worker], [early, due])
    Fits(most_pairs=1).add_to(snapshot)
    assert [one.fit for one in snapshot.groups] == [0, 1]


def test_groups_that_ask_for_the_same_share_a_fit_and_one_that_nobody_satisfies_is_told_why():
    worker = device_pb2.Worker(slots=2, cpu_cores=2, state=device_pb2.WORKER_STATE_READY, runners=["pytest"])
    plain = [scheduler_pb2.TaskGroup(wanted_slots=1, runner="pytest") for _ in range(2)]
    odd = scheduler_pb2.TaskGroup(wanted_slots=1, runner="pytest", selector='worker.labels.zone == "eu"')
    snapshot = snapshot_of([worker], [*plain, odd])
    Fits().add_to(snapshot)
    first, second, third = snapshot.groups
    assert first.fit == second.fit != third.fit
    told = snapshot.fits[third.fit].waiting
    assert told.kind == scheduler_pb2.WAITING_KIND_NEVER
    assert "zone" in told.text
    assert snapshot.fits[first.fit].waiting.kind == scheduler_pb2.WAITING_KIND_LATER


def test_what_changes_between_two_snapshots_is_judged_anew():
    fits = Fits()
    worker = device_pb2.Worker(slots=2, cpu_cores=2, state=device_pb2.WORKER_STATE_READY, runners=["pytest"])

    def candidates(state, labels):
        worker.state = state
        worker.labels.clear()
        worker.labels.update(labels)
        group = scheduler_pb2.TaskGroup(wanted_slots=1, runner="pytest", selector='worker.labels.zone == "eu"')
        snapshot = snapshot_of([worker], [group])
        fits.add_to(snapshot)
        return [one.worker_id for one in snapshot.fits[snapshot.groups[0].fit].candidates]

    ready, draining = device_pb2.WORKER_STATE_READY, device_pb2.WORKER_STATE_DRAINING
    assert candidates(ready, {}) == []
    assert candidates(ready, {"zone": "eu"}) == ["w0"]
    assert candidates(draining, {"zone": "eu"}) == []
    assert candidates(ready, {"zone": "eu"}) == ["w0"]
    assert candidates(ready, {"zone": "us"}) == []


def test_a_fleet_that_is_new_is_judged_little_by_little_and_nothing_is_lost_by_it():
    fits = Fits(most_new=3)
    ready = device_pb2.WORKER_STATE_READY
    workers = [
        device_pb2.Worker(slots=2, cpu_cores=2, state=ready, runners=["pytest"], labels={"n": str(number)})
        for number in range(4)
    ]
    told = []
    for _ in range(4):
        queue = [
            scheduler_pb2.TaskGroup(wanted_slots=1, runner="pytest", selector=text)
            for text in ("", 'worker.labels.n != "0"')
        ]
        snapshot = snapshot_of(workers, queue)
        whole = fits.add_to(snapshot)
        candidates = [len(snapshot.fits[group.fit].candidates) for group in snapshot.groups]
        told.append((whole, candidates))
        if not whole:
            assert snapshot.fits[2].waiting.kind == scheduler_pb2.WAITING_KIND_LATER
    assert told == [(False, [3, 0]), (False, [4, 1]), (True, [4, 3]), (True, [4, 3])]


def test_a_long_queue_gets_fits_from_its_front():
    worker = device_pb2.Worker(slots=2, cpu_cores=2, state=device_pb2.WORKER_STATE_READY, runners=["pytest"])
    queue = [
        scheduler_pb2.TaskGroup(wanted_slots=1, selector=f"worker.slots > {number}", priority=number % 3)
        for number in range(6)
    ]
    snapshot = snapshot_of([worker], queue)
    Fits(most_pairs=2).add_to(snapshot)
    assert {one.group_id for one in snapshot.groups if one.fit} == {"g2", "g5"}


def test_why_nobody_fits_is_looked_into_within_the_same_bounds_however_many_workers_change(monkeypatch):
    looked_at = []

    def counted(request, workers, *more):
        looked_at.append(len(workers))
        return explain(request, workers, *more)

    monkeypatch.setattr("crossfleet.matching.fits.explain", counted)
    ready = device_pb2.WORKER_STATE_READY
    alike = [device_pb2.Worker(slots=2, cpu_cores=2, state=ready, runners=["pytest"]) for _ in range(300)]
    queue = [
        scheduler_pb2.TaskGroup(wanted_slots=1, runner="pytest", selector=f"worker.cpu > {number}.0")
        for number in range(2, 22)
    ]
    fits = Fits(most_new=50)
    snapshot = snapshot_of(alike, queue)
    while not fits.add_to(snapshot):
        pass
    looked_at.clear()
    for labels in ({}, {"unlike": "the others"}):
        for number, one in enumerate(alike):
            one.labels.update({key: f"{value} {number}" for key, value in labels.items()})
        alike[7].cpu_cores = 1.5
        snapshot, whole = snapshot_of(alike, queue), False
        while not whole:
            looked_at.clear()
            whole = fits.add_to(snapshot)
            assert sum(looked_at) <= 50
        told = [snapshot.fits[row.fit].waiting for row in snapshot.groups]
        assert {one.kind for one in told} == {scheduler_pb2.WAITING_KIND_NEVER}
        assert all(one.text.startswith("no worker of 300 can take it: ") for one in told)
        counts = "holds on 0 of 300 workers" in told[0].text
        assert counts is not bool(labels)
    assert fits.add_to(snapshot)


def test_one_that_cannot_be_judged_is_named_and_the_others_get_their_fits(monkeypatch):
    def broken(message, selector, runner):
        if message.exclusive:
            raise OverflowError("too much")
        return request_from(message, selector, runner)

    monkeypatch.setattr("crossfleet.matching.fits.request_from", broken)
    worker = device_pb2.Worker(slots=2, cpu_cores=2, state=device_pb2.WORKER_STATE_READY, runners=["pytest"])
    odd = scheduler_pb2.TaskGroup(wanted_slots=1, runner="pytest", request=suite_pb2.Request(exclusive=True))
    snapshot = snapshot_of([worker], [odd, scheduler_pb2.TaskGroup(wanted_slots=1, runner="pytest")])
    failed: dict[str, Exception] = {}
    assert Fits().add_to(snapshot, failed.__setitem__)
    assert [(name, str(error)) for name, error in failed.items()] == [("g0", "too much")]
    assert [one.fit for one in snapshot.groups] == [0, 1]
    assert snapshot.free["w0"].slots == 2


def test_workers_that_would_fit_and_take_no_work_are_told_as_such():
    states = [device_pb2.WORKER_STATE_DRAINING, device_pb2.WORKER_STATE_DRAINING, device_pb2.WORKER_STATE_SUSPECT]
    workers = [device_pb2.Worker(slots=2, cpu_cores=2, state=one, runners=["pytest"]) for one in states]
    snapshot = snapshot_of(workers, [scheduler_pb2.TaskGroup(wanted_slots=1, runner="pytest")])
    Fits().add_to(snapshot)
    told = snapshot.fits[1].waiting
    assert (told.kind, told.code) == (scheduler_pb2.WAITING_KIND_LATER, "state")
    assert told.text == "the only workers that satisfy it take no work (2 draining, 1 suspect)"
