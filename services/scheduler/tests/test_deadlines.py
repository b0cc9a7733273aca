"""What deadlines change, and what they do not."""

from dataclasses import replace
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from crossfleet.matching.model import Request
from crossfleet.matching.selectors import Selectors
from crossfleet.scheduler.core.model import Allocation, Delta, Group, Policy
from crossfleet.scheduler.core.planner import Planner
from crossfleet.scheduler.core.snapshot import Snapshot
from services.scheduler.tests.clockwork import Clockwork, alike
from services.scheduler.tests.test_plan import by_group, made, worker

DAY = 86_400.0
PATIENT = Policy(patience_seconds=1e9)


def group(name: str, submitted_at: float = 0.0, deadline: float = inf, wanted: int = 1, **more) -> Group:
    return Group(name, name, submitted_at=submitted_at, deadline=deadline, wanted_slots=wanted, **more)


def test_of_one_project_and_priority_that_run_goes_first_that_is_due_first():
    queue = [group("old"), group("soon", 20, 3_600), group("sooner", 30, 1_800)]
    found = made([worker("w1", 2)], queue, now=30.0)
    assert by_group(found) == {"sooner": 1, "soon": 1}
    (told,) = found.waiting
    assert (told.group_id, told.code) == ("old", "behind")
    assert "behind work that is due sooner: 1 slot of sooner" in told.text


def test_what_is_due_in_days_goes_by_its_age():
    queue = [group("old"), group("next week", 10, 7 * DAY), group("new", 20)]
    assert by_group(made([worker("w1", 2)], queue)) == {"old": 1, "next week": 1}


def test_a_deadline_passes_no_higher_priority_and_takes_no_other_project_s_turn():
    hurried = group("hurried", 9, 60.0, project="ml")
    assert by_group(made([worker("w1", 1)], [hurried, group("urgent", 10, priority=1)])) == {"urgent": 1}
    held = [Allocation("a", "running", "w1", 1)]
    rows = [hurried, group("running", project="ml", wanted=0), group("other", 10, project="web")]
    assert by_group(made([worker("w1", 2)], rows, held)) == {"other": 1}


def test_a_deadline_that_changes_moves_who_waits():
    rows = Delta(workers=(worker("w1", 1),), groups=(group("a"), group("b", 1)), allocations=())
    snapshot, planner = Snapshot.of(rows, 1), Planner(PATIENT, Selectors())
    assert by_group(planner.plan(snapshot, 2.0)) == {"a": 1}
    snapshot.apply(Delta(groups=(group("b", 1, 60.0),)), 2)
    assert by_group(planner.plan(snapshot, 2.0)) == {"b": 1}
    snapshot.apply(Delta(groups=(group("b", 1),)), 3)
    assert by_group(planner.plan(snapshot, 2.0)) == {"a": 1}


times = st.integers(0, 3 * int(DAY)).map(float)


@given(st.lists(st.tuples(times, st.sampled_from([None, 60.0, 3_600.0, DAY, 2 * DAY])), max_size=12), st.integers(1, 6))
def test_slots_go_to_those_that_are_due_first_and_what_is_not_due_counts_as_due_in_a_day(wishes, slots):
    queue = [group(f"g{n:02}", at, at + left if left else inf) for n, (at, left) in enumerate(wishes)]
    found = made([worker("w1", slots)], queue, policy=PATIENT)
    first = sorted(queue, key=lambda one: (min(one.submitted_at + DAY, one.deadline), one.id))[:slots]
    assert by_group(found) == {one.id: 1 for one in first}


def test_nothing_that_comes_more_than_a_day_later_passes_what_has_no_deadline():
    """One slot; every hour more comes that is due within the hour than can be done."""
    fleet = Clockwork(alike(1, 1), PATIENT)
    fleet.submit("before", seconds=3_600.0)
    fleet.step()
    fleet.submit("plain", seconds=3_600.0)
    came: dict[str, float] = {}
    while "plain" not in fleet.begun:
        for _ in range(2):
            name = f"hurried-{len(came)}"
            came[name] = fleet.now
            fleet.submit(name, seconds=3_600.0, deadline=fleet.now + 3_600.0)
        fleet.step()
        assert fleet.now < 4 * DAY
    passed = [came[name] for name in fleet.begun if name in came]
    assert len(passed) > 24
    assert max(passed) <= DAY


def test_a_project_that_waits_too_long_at_a_priority_gets_its_first_slots_by_deadline():
    policy = Policy(patience_seconds=1_000.0)
    high = group("high", 500, priority=5, wanted=4, project="web")
    mine = [group("old", 0, project="ml"), group("young", 900, 2_000, project="ml")]
    planner = Planner(policy, Selectors())
    snapshot = Snapshot.of(Delta(workers=(worker("w1", 1),), groups=(high, *mine)), 1)
    assert planner.due(950.0) is None
    assert by_group(planner.plan(snapshot, 950.0)) == {"high": 1}
    assert planner.due(950.0) == 1_000.0
    assert by_group(planner.plan(snapshot, 1_000.0)) == {"young": 1}
    only_young = Snapshot.of(Delta(workers=(worker("w1", 1),), groups=(high, mine[1])), 1)
    assert by_group(Planner(policy, Selectors()).plan(only_young, 1_000.0)) == {"high": 1}


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([None, 10.0, 50.0]), st.booleans()), max_size=20))
def test_whoever_comes_and_goes_a_queue_fed_by_deltas_keeps_the_order_of_deadlines(changes):
    rows: dict[str, Group] = {}
    fed, planner = Snapshot.of(Delta(workers=(worker("w1", 2),)), 1), Planner(Policy(), Selectors())
    for revision, (number, left, gone) in enumerate(changes, start=2):
        name = f"g{number}"
        row = group(name, float(number), number + left if left else inf, wanted=0 if gone and left else 1)
        if gone and not left:
            rows.pop(name, None)
            fed.apply(Delta(removed_groups=(name,)), revision)
        else:
            rows[name] = replace(row)
            fed.apply(Delta(groups=(row,)), revision)
        for now in (3.0, 10_000.0):
            fresh = made([worker("w1", 2)], rows.values(), now=now)
            found = planner.plan(fed, now)
            assert (found.allocate, found.short) == (fresh.allocate, fresh.short)


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 9), st.sampled_from([None, 10, DAY]), st.integers(0, 2)),
        max_size=30,
    )
)
def test_patience_is_that_of_the_oldest_whatever_deadlines_put_before_it(changes):
    rows: dict[str, Group] = {}
    busy = Allocation("held", "other", "w1", 2)
    first = Delta(workers=(worker("w1", 2),), groups=(group("other", 0, project="q", wanted=0),), allocations=(busy,))
    fed, planner = Snapshot.of(first, 1), Planner(Policy(patience_seconds=100.0), Selectors())
    for revision, (number, at, left, wanted) in enumerate(changes, start=2):
        request = Request(cpu_cores=0.5 * (number % 2))
        row = group(f"g{number}", float(at), at + left if left else inf, wanted=wanted, request=request)
        rows[row.id] = row
        fed.apply(Delta(groups=(row,)), revision)
        planner.plan(fed, 20.0)
        oldest = min((one.submitted_at for one in rows.values() if one.wanted_slots), default=None)
        assert planner.due(20.0) == (oldest + 100.0 if oldest is not None else None)
