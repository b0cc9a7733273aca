"""What the rows of a fleet say of workers that are on one host."""

from hypothesis import given
from hypothesis import strategies as st

from crossfleet.matching.model import Device, WorkerView
from crossfleet.scheduler.core.model import Delta
from crossfleet.scheduler.core.snapshot import Snapshot

NAMES = ["w0", "w1", "w2"]

workers = st.builds(
    WorkerView,
    name=st.sampled_from(NAMES),
    host=st.sampled_from(["h0", "h0", "h1", ""]),
    devices=st.sets(st.sampled_from(["d0", "d1"])).map(
        lambda names: tuple(Device(name, "gpu") for name in sorted(names))
    ),
)
deltas = st.builds(
    Delta,
    workers=st.lists(workers, max_size=3).map(tuple),
    removed_workers=st.lists(st.sampled_from(NAMES), max_size=1).map(tuple),
)


@given(st.lists(deltas, min_size=3, max_size=8))
def test_who_offers_a_device_of_another_worker_of_the_host_is_known_whatever_came_before(updates):
    snapshot = Snapshot()
    for revision, delta in enumerate(updates):
        snapshot.apply(delta, revision)
        rows = snapshot.workers
        for one in NAMES:
            others = snapshot.neighbours(one)
            assert snapshot.sharing(one) == [other for other in others if rows[one].own_ids & rows[other].own_ids]
