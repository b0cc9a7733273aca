"""Generated fleets and queues, and the plainest way to say what is free of them."""

from collections.abc import Iterable
from dataclasses import replace
from math import inf

from hypothesis import strategies as st

from crossfleet.matching.free import Free
from crossfleet.matching.model import (
    Device,
    DeviceRequest,
    Placement,
    Portion,
    Preference,
    Request,
    WorkerState,
    WorkerView,
)
from crossfleet.matching.selectors import Selectors
from crossfleet.scheduler.core.model import Allocation, Delta, Group, Plan, Policy, Proposal, Share
from crossfleet.scheduler.core.planner import Planner
from crossfleet.scheduler.core.snapshot import Snapshot

SELECTORS = Selectors()
NAMES = [f"w{n}" for n in range(4)]
GROUPS = [f"g{n}" for n in range(6)]
PROJECTS = ["p0", "p1"]
EUROPE = Preference('worker.labels.zone == "eu"', 5)

devices = st.lists(st.sampled_from(["gpu", "cpu", "npu", "share", "share"]), max_size=3).map(
    lambda kinds: tuple(
        Device(f"d{n}", "gpu", {"uuid": f"gpu-{n}"}, {"memory": 8, "tabs": 3}, shareable=True)
        if kind == "share"
        else Device(f"d{n}", kind, {"uuid": f"{kind}-{n}"}, {"memory": 8, "tabs": 1})
        for n, kind in enumerate(kinds)
    )
)
workers = st.builds(
    WorkerView,
    name=st.sampled_from(NAMES),
    labels=st.fixed_dictionaries(
        {}, optional={"zone": st.sampled_from(["eu", "us"]), "watts": st.sampled_from(["5", "70"])}
    ),
    devices=devices,
    cpu_cores=st.sampled_from([1.0, 2.5, 8.0]),
    memory_bytes=st.sampled_from([0, 2**30, 2**33]),
    slots_total=st.integers(0, 5),
    state=st.sampled_from([WorkerState.READY, WorkerState.READY, WorkerState.READY, WorkerState.DRAINING]),
    host=st.sampled_from(["", "h0", "h1"]),
)
selectors = st.sampled_from(
    [
        "",
        'worker.labels.zone == "eu"',
        'device.class == "gpu"',
        'worker.name == "w1"',
        'device.uuid == "gpu-1"',
        "worker.nme",
        "worker.cpu > 2",
    ]
)
requests = st.builds(
    Request,
    selector=selectors,
    cpu_cores=st.sampled_from([0.0, 0.5, 3.0]),
    memory_bytes=st.sampled_from([0, 2**29, 2**31]),
    devices=st.sampled_from(
        [
            (),
            (),
            (DeviceRequest("gpu"),),
            (DeviceRequest("npu"), DeviceRequest("", count=2)),
            (DeviceRequest("gpu", capacities=(("memory", 3),)),),
            (DeviceRequest("gpu", count=2, capacities=(("memory", 1), ("tabs", 1))),),
            (DeviceRequest("npu"), DeviceRequest("gpu", capacities=(("tabs", 1),))),
        ]
    ),
    slots_min=st.integers(1, 2),
    slots_max=st.sampled_from([0, 0, 2, 5]),
    exclusive=st.sampled_from([False, False, False, True]),
    gang=st.sampled_from([1, 1, 1, 2]),
    preferred=st.sampled_from(
        [(), (), (EUROPE,), (Preference('worker.name == "w1"'), Preference('device.uuid == "gpu-1"', 2))]
    ),
    placement=st.sampled_from([Placement.PACK, Placement.PACK, Placement.SPREAD]),
    prefer_least=st.sampled_from(["", "", "watts"]),
)
groups = st.builds(
    Group,
    id=st.sampled_from(GROUPS),
    run_id=st.sampled_from(["r1", "r2"]),
    project=st.sampled_from(PROJECTS),
    request=requests,
    priority=st.integers(0, 2),
    submitted_at=st.sampled_from([1.0, 2.0]),
    deadline=st.sampled_from([inf, inf, 86_400.5, 86_401.5]),
    wanted_slots=st.integers(0, 6),
    estimated_seconds=st.sampled_from([0.0, 5.0, 60.0]),
    avoid=st.frozensets(st.sampled_from(NAMES), max_size=1),
    preempts=st.sampled_from([False, False, True]),
    preemptible=st.sampled_from([None, None, True, False]),
)
allocations = st.builds(
    Allocation,
    id=st.sampled_from([f"a{n}" for n in range(4)]),
    group_id=st.sampled_from(GROUPS),
    worker_id=st.sampled_from(NAMES),
    slots=st.integers(1, 2),
    device_ids=st.sampled_from([(), (), ("d0",), ("d1", "d2")]),
    portions=st.sampled_from([(), (Portion("d0", (("memory", 4),)),)]),
).map(lambda one: one if "d0" in one.device_ids else replace(one, portions=()))
shares = st.builds(
    Share,
    project=st.sampled_from(PROJECTS),
    weight=st.sampled_from([0.5, 1.0, 3.0]),
    used=st.dictionaries(st.sampled_from(["cpu", "gpu"]), st.floats(0.0, 1.0), max_size=2),
)


def unique(rows, key):
    return tuple({key(row): row for row in rows}.values())


snapshots = st.builds(
    lambda some, queue, held, parts: Delta(
        workers=unique(some, lambda row: row.name),
        groups=unique(queue, lambda row: row.id),
        allocations=unique(held, lambda row: row.id),
        shares=unique(parts, lambda row: row.project),
    ),
    st.lists(workers, max_size=4),
    st.lists(groups, max_size=7),
    st.lists(allocations, max_size=3),
    st.lists(shares, max_size=2),
)
deltas = st.builds(
    lambda rows, gone, closed, ended: replace(
        rows, removed_workers=gone, removed_groups=closed, removed_allocations=ended
    ),
    snapshots,
    st.lists(st.sampled_from(NAMES), max_size=2).map(tuple),
    st.lists(st.sampled_from(GROUPS), max_size=2).map(tuple),
    st.lists(st.sampled_from(["a0", "a1", "a2"]), max_size=2).map(tuple),
)


def planned(rows: Delta, now: float = 0.0, policy: Policy | None = None) -> tuple[Snapshot, Plan]:
    snapshot = Snapshot.of(rows, 1)
    return snapshot, Planner(policy or Policy(), SELECTORS).plan(snapshot, now)


def free_of(snapshot: Snapshot, name: str, less: Iterable[Proposal] = ()) -> Free:
    """What nobody holds of a worker or keeps of its host, less what was proposed.

    But for devices that are proposed on another worker of the host: of these the coordinator refuses the second.
    """
    less = list(less)
    host = snapshot.workers[name].host
    others = [one.name for one in snapshot.workers.values() if host and one.host == host and one.name != name]
    free = _alone(snapshot, name, less).beside([_alone(snapshot, other, less) for other in others])
    for other in others:
        free = free.less_shown(_alone(snapshot, other, ()), snapshot.workers[other])
    return free


def _alone(snapshot: Snapshot, name: str, less: Iterable[Proposal]) -> Free:
    worker = snapshot.workers[name]
    free = Free.whole(worker)
    taken: list[Allocation | Proposal] = [*snapshot.held_on(name), *(one for one in less if one.worker_id == name)]
    for held in taken:
        group = snapshot.groups.get(held.group_id)
        free = free.minus(group.request if group else Request(), held.slots, held.device_ids, worker, held.portions)
    return free


def changed(delta: Delta, rows: Delta) -> Delta:
    """The rows after a delta, by the plainest means."""
    some = {row.name: row for row in rows.workers if row.name not in delta.removed_workers}
    queue = {row.id: row for row in rows.groups if row.id not in delta.removed_groups}
    held = {row.id: row for row in rows.allocations if row.id not in delta.removed_allocations}
    parts = {row.project: row for row in rows.shares}
    some.update((row.name, row) for row in delta.workers)
    queue.update((row.id, row) for row in delta.groups)
    held.update((row.id, row) for row in delta.allocations)
    parts.update((row.project, row) for row in delta.shares)
    return Delta(tuple(some.values()), tuple(queue.values()), tuple(held.values()), tuple(parts.values()))
