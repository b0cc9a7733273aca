"""What holds for every snapshot."""

from hypothesis import given, settings
from hypothesis import strategies as st

from crossfleet.matching.check import check
from crossfleet.matching.fit import fit
from crossfleet.matching.free import Fit
from crossfleet.matching.model import WorkerState
from crossfleet.matching.selectors import Selectors
from crossfleet.scheduler.core.model import Allocation, Delta, Policy, Waiting
from crossfleet.scheduler.core.planner import Planner
from crossfleet.scheduler.core.snapshot import Snapshot
from services.scheduler.tests.loads import SELECTORS, changed, deltas, free_of, planned, snapshots

times = st.sampled_from([0.0, 10_000.0])


@given(snapshots, times)
def test_the_coordinator_could_commit_every_proposal_one_after_the_other(rows, now):
    """So nothing is given away twice, and every constraint holds."""
    snapshot, found = planned(rows, now)
    for at, one in enumerate(found.allocate):
        worker, request = snapshot.workers[one.worker_id], snapshot.groups[one.group_id].request
        free = free_of(snapshot, one.worker_id, found.allocate[:at])
        judged = check(request, worker, free, one.slots, one.device_ids, SELECTORS)
        assert isinstance(judged, tuple), judged


@given(snapshots, times)
def test_no_group_gets_more_than_it_wants_or_may_have(rows, now):
    snapshot, found = planned(rows, now)
    for group in snapshot.groups.values():
        got = sum(one.slots for one in found.allocate if one.group_id == group.id)
        held = sum(one.slots for one in snapshot.held_by(group.id))
        if group.request.gang > 1:
            assert not got or group.wanted_slots
            continue
        assert got <= group.wanted_slots
        assert not got or not group.request.slots_max or got + held <= group.request.slots_max


@given(snapshots, times)
def test_gangs_are_placed_whole_or_not_at_all(rows, now):
    snapshot, found = planned(rows, now)
    for group in snapshot.groups.values():
        got = [one for one in found.allocate if one.group_id == group.id]
        if group.request.gang > 1 and got:
            assert not tuple(snapshot.held_by(group.id))
            assert len({one.worker_id for one in got}) == group.request.gang
            assert {one.slots for one in got} == {group.request.slots_min}
            assert {one.gang for one in got} == {group.id}


@given(snapshots, times)
def test_every_group_that_gets_less_than_it_wants_is_told_why(rows, now):
    snapshot, found = planned(rows, now)
    told = {one.group_id: one for one in found.waiting}
    for group in snapshot.groups.values():
        got = sum(one.slots for one in found.allocate if one.group_id == group.id)
        assert (group.id in told) == (got < group.wanted_slots)
    assert all(one.code and one.text for one in found.waiting)
    assert found.short == len(found.waiting)


@given(snapshots, st.randoms(use_true_random=False), times)
def test_the_same_rows_give_the_same_plan_in_whatever_order_they_came(rows, random, now):
    def shuffled(some):
        return tuple(random.sample(some, len(some)))

    mixed = Delta(*map(shuffled, (rows.workers, rows.groups, rows.allocations, rows.shares)))
    assert planned(rows, now)[1] == planned(mixed, now)[1]


@given(snapshots)
def test_a_lower_priority_takes_nothing_that_a_higher_one_could_have_had(rows):
    """Whoever waits could not have been placed on what is left plus what less urgent groups got."""
    snapshot, found = planned(rows, policy=Policy(reservations=0))
    for group in snapshot.groups.values():
        got = sum(one.slots for one in found.allocate if one.group_id == group.id)
        held = sum(one.slots for one in snapshot.held_by(group.id)) + got
        limit = group.request.slots_max
        missing = group.wanted_slots - got
        if missing <= 0 or (limit and held >= limit) or (group.request.gang > 1 and held):
            continue
        least = max(1, min(group.request.slots_min, held + missing) - held)
        if group.request.gang > 1:
            least = group.request.slots_min
        able = 0
        for name, worker in snapshot.workers.items():
            others = [
                one
                for one in found.allocate
                if one.group_id == group.id or snapshot.groups[one.group_id].priority >= group.priority
            ]
            able += isinstance(fit(group.request, worker, free_of(snapshot, name, others), SELECTORS, least=least), Fit)
        assert able < group.request.gang


@given(snapshots, times)
def test_nothing_is_placed_on_a_worker_that_is_not_ready(rows, now):
    snapshot, found = planned(rows, now)
    assert all(snapshot.workers[one.worker_id].state is WorkerState.READY for one in found.allocate)


@settings(max_examples=150)
@given(snapshots, st.lists(st.tuples(deltas, st.booleans()), max_size=5), times)
def test_a_planner_fed_by_deltas_plans_as_one_that_starts_from_scratch(rows, changes, now):
    selectors = Selectors()
    fed, planner = Snapshot.of(rows, 1), Planner(Policy(), selectors)
    told: dict[str, Waiting] = {}
    for revision, (delta, adopted) in enumerate(changes, start=2):
        found = planner.plan(fed, now)
        told.update((one.group_id, one) for one in found.waiting)
        if adopted:
            made = tuple(
                Allocation(
                    f"b{revision}-{at}", one.group_id, one.worker_id, one.slots, one.device_ids, portions=one.portions
                )
                for at, one in enumerate(found.allocate)
            )
            fed.apply(Delta(allocations=made), revision)
            rows = changed(Delta(allocations=made), rows)
        fed.apply(delta, revision)
        rows = changed(delta, rows)
    fresh = Planner(Policy(), selectors).plan(Snapshot.of(rows, fed.revision), now)
    found = planner.plan(fed, now)
    told.update((one.group_id, one) for one in found.waiting)
    assert (found.allocate, found.short) == (fresh.allocate, fresh.short)
    assert [told[one.group_id] for one in fresh.waiting] == list(fresh.waiting)
