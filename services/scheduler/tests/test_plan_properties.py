"""What holds for every snapshot."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from crossfleet.matching.fit import fit
from crossfleet.matching.free import Fit, Free, slot_millicores
from crossfleet.matching.model import Device, DeviceRequest, Request, WorkerState, WorkerView
from crossfleet.matching.selectors import Selectors
from crossfleet.scheduler.core.eligibility import Eligibility
from crossfleet.scheduler.core.model import Allocation, Delta, Group, Plan
from crossfleet.scheduler.core.plan import plan
from crossfleet.scheduler.core.snapshot import Snapshot

SELECTORS = Selectors()
NAMES = [f"w{n}" for n in range(4)]
GROUPS = [f"g{n}" for n in range(5)]

devices = st.lists(st.sampled_from(["gpu", "cpu", "npu"]), max_size=3).map(
    lambda kinds: tuple(Device(f"d{n}", kind) for n, kind in enumerate(kinds))
)
workers = st.builds(
    WorkerView,
    name=st.sampled_from(NAMES),
    labels=st.dictionaries(st.just("zone"), st.sampled_from(["eu", "us"])),
    devices=devices,
    cpu_cores=st.sampled_from([1.0, 2.5, 8.0]),
    memory_bytes=st.sampled_from([0, 2**30, 2**33]),
    slots_total=st.integers(0, 5),
    state=st.sampled_from([WorkerState.READY, WorkerState.READY, WorkerState.READY, WorkerState.DRAINING]),
)
selectors = st.sampled_from(
    ["", 'worker.labels.zone == "eu"', 'device.class == "gpu"', 'worker.name == "w1"', "worker.nme", "worker.cpu > 2"]
)
requests = st.builds(
    Request,
    selector=selectors,
    cpu_cores=st.sampled_from([0.0, 0.5, 3.0]),
    memory_bytes=st.sampled_from([0, 2**29, 2**31]),
    devices=st.sampled_from([(), (), (DeviceRequest("gpu"),), (DeviceRequest("npu"), DeviceRequest("", count=2))]),
    slots_min=st.integers(1, 2),
    slots_max=st.sampled_from([0, 0, 2, 5]),
    exclusive=st.sampled_from([False, False, False, True]),
)
groups = st.builds(
    Group,
    id=st.sampled_from(GROUPS),
    run_id=st.sampled_from(["r1", "r2"]),
    request=requests,
    priority=st.integers(0, 2),
    submitted_at=st.sampled_from([1.0, 2.0]),
    wanted_slots=st.integers(0, 6),
    avoid=st.frozensets(st.sampled_from(NAMES), max_size=1),
)
allocations = st.builds(
    Allocation,
    id=st.sampled_from([f"a{n}" for n in range(4)]),
    group_id=st.sampled_from(GROUPS),
    worker_id=st.sampled_from(NAMES),
    slots=st.integers(1, 2),
)


def unique(rows, key):
    return tuple({key(row): row for row in rows}.values())


snapshots = st.builds(
    lambda some, queue, held: Delta(
        workers=unique(some, lambda row: row.name),
        groups=unique(queue, lambda row: row.id),
        allocations=unique(held, lambda row: row.id),
    ),
    st.lists(workers, max_size=4),
    st.lists(groups, max_size=6),
    st.lists(allocations, max_size=3),
)


def planned(rows: Delta) -> tuple[Snapshot, Plan]:
    snapshot = Snapshot.of(rows, 1)
    return snapshot, plan(snapshot, Eligibility(SELECTORS))


@given(snapshots)
def test_nothing_is_given_away_twice(rows):
    snapshot, found = planned(rows)
    granted: dict[str, list[str]] = {}
    free = {name: snapshot.free(name) for name in snapshot.workers}
    for one in found.allocate:
        worker, request = snapshot.workers[one.worker_id], snapshot.groups[one.group_id].request
        before = free[one.worker_id]
        assert 0 < one.slots <= before.slots
        # max: a worker that holds more than it has is below zero; who asks for none of that may still come.
        assert one.slots * slot_millicores(request, worker) <= max(before.cpu_millis, 0)
        assert one.slots * request.memory_bytes <= max(before.memory_bytes, 0)
        alone = {device.id for device in worker.devices if not device.shared}
        mine = [device for device in one.device_ids if device in alone]
        assert before.devices.issuperset(one.device_ids)
        granted.setdefault(one.worker_id, []).extend(mine)
        free[one.worker_id] = before.minus(request, one.slots, one.device_ids, worker)
    assert all(len(ids) == len(set(ids)) for ids in granted.values())


@given(snapshots)
def test_every_placement_satisfies_its_request(rows):
    snapshot, found = planned(rows)
    for one in found.allocate:
        worker, group = snapshot.workers[one.worker_id], snapshot.groups[one.group_id]
        assert worker.state is WorkerState.READY
        assert isinstance(fit(group.request, worker, Free.whole(worker), SELECTORS), Fit)
    for group in snapshot.groups.values():
        got = sum(one.slots for one in found.allocate if one.group_id == group.id)
        held = sum(one.slots for one in snapshot.held_by(group.id))
        assert got <= group.wanted_slots
        assert not got or not group.request.slots_max or got + held <= group.request.slots_max


@given(snapshots)
def test_every_group_that_gets_less_than_it_wants_is_told_why(rows):
    snapshot, found = planned(rows)
    told = {one.group_id: one for one in found.waiting}
    for group in snapshot.groups.values():
        got = sum(one.slots for one in found.allocate if one.group_id == group.id)
        assert (group.id in told) == (got < group.wanted_slots)
    assert all(one.code and one.text for one in found.waiting)


@given(snapshots, st.randoms(use_true_random=False))
def test_the_same_rows_give_the_same_plan_in_whatever_order_they_came(rows, random):
    def shuffled(some):
        return tuple(random.sample(some, len(some)))

    mixed = Delta(workers=shuffled(rows.workers), groups=shuffled(rows.groups), allocations=shuffled(rows.allocations))
    assert planned(rows)[1] == planned(mixed)[1]


@given(snapshots)
def test_a_lower_priority_takes_nothing_that_a_higher_one_could_have_had(rows):
    """Whoever waits could not have been placed on what is left plus what less urgent groups got."""
    snapshot, found = planned(rows)
    for group in snapshot.groups.values():
        got = [one for one in found.allocate if one.group_id == group.id]
        held = sum(one.slots for one in snapshot.held_by(group.id)) + sum(one.slots for one in got)
        limit = group.request.slots_max
        missing = group.wanted_slots - sum(one.slots for one in got)
        if missing <= 0 or (limit and held >= limit):
            continue
        for name, worker in snapshot.workers.items():
            free = snapshot.free(name)
            for one in found.allocate:
                other = snapshot.groups[one.group_id]
                if one.worker_id == name and (other.id == group.id or other.priority >= group.priority):
                    free = free.minus(other.request, one.slots, one.device_ids, worker)
            least = max(1, min(group.request.slots_min, held + missing) - held)
            assert not isinstance(fit(group.request, worker, free, SELECTORS, least=least), Fit)


def changed(delta: Delta, rows: Delta) -> Delta:
    """The rows after a delta, by the plainest means."""
    some = {row.name: row for row in rows.workers if row.name not in delta.removed_workers}
    queue = {row.id: row for row in rows.groups if row.id not in delta.removed_groups}
    held = {row.id: row for row in rows.allocations if row.id not in delta.removed_allocations}
    some.update((row.name, row) for row in delta.workers)
    queue.update((row.id, row) for row in delta.groups)
    held.update((row.id, row) for row in delta.allocations)
    return Delta(workers=tuple(some.values()), groups=tuple(queue.values()), allocations=tuple(held.values()))


deltas = st.builds(
    lambda rows, gone, closed, ended: replace(
        rows, removed_workers=gone, removed_groups=closed, removed_allocations=ended
    ),
    snapshots,
    st.lists(st.sampled_from(NAMES), max_size=2).map(tuple),
    st.lists(st.sampled_from(GROUPS), max_size=2).map(tuple),
    st.lists(st.sampled_from(["a0", "a1", "a2"]), max_size=2).map(tuple),
)


@settings(max_examples=60)
@given(snapshots, st.lists(deltas, max_size=4))
def test_a_snapshot_fed_by_deltas_plans_as_one_made_from_scratch(rows, changes):
    selectors = Selectors()
    fed, eligibility = Snapshot.of(rows, 1), Eligibility(selectors)
    for revision, delta in enumerate(changes, start=2):
        plan(fed, eligibility)
        fed.apply(delta, revision)
        rows = changed(delta, rows)
    fresh = Snapshot.of(rows, fed.revision)
    assert plan(fed, eligibility) == plan(fresh, Eligibility(selectors))
    assert {name: fed.free(name) for name in fed.workers} == {name: fresh.free(name) for name in fresh.workers}
