"""What of the allocations that a scheduler wants back it may have: what has done nothing yet only a few times, or for somebody."""

from hypothesis import given
from hypothesis import strategies as st

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core.priority_class import PriorityClass
from crossfleet.coordinator.core.revocations import MOST_WASTED, WINDOW_SECONDS, Revocations
from crossfleet.matching.model import Request
from services.coordinator.tests.core.fleet import Fleet

ONE = Request(slots_max=1)
MANY = 2 * MOST_WASTED


def full(slots=MANY, *, workers=1, cases=(), policy=None):
    """A fleet that is full of runs with a slot each, which get ready."""
    fleet = Fleet()
    for number in range(workers):
        fleet.join(f"w{number}", slots=slots)
    for number in range(slots * workers):
        fleet.submit(f"low-{number}", cases, request=ONE, policy=policy)
    fleet.place()
    assert len(fleet.state.allocations) == slots * workers
    return fleet


def refused(fleet, revocations, names=None, now=0.0):
    """How many of its allocations a scheduler may not have back."""
    allowed, kept = revocations.sort_out(fleet.state, fleet.state.allocations if names is None else names, now)
    assert not {one.allocation_id for one in kept}.intersection(allowed)
    return len(kept)


def test_a_few_may_be_wasted_within_the_window():
    fleet, revocations = full(), Revocations()
    assert refused(fleet, revocations) == MANY - MOST_WASTED
    assert refused(fleet, revocations, now=WINDOW_SECONDS / 2) == MANY
    assert refused(fleet, revocations, now=WINDOW_SECONDS) == MANY - MOST_WASTED


def test_who_is_more_urgent_or_of_another_project_excuses_a_host_for_each_slot_that_he_wants():
    for more in ({"priority": 1}, {"project": "q"}):
        fleet, revocations = full(2, workers=MANY), Revocations()
        fleet.submit("other", request=Request(slots_max=3), **more)
        assert refused(fleet, revocations) == 2 * MANY - MOST_WASTED - 3 * 2
        assert refused(fleet, revocations, now=WINDOW_SECONDS / 2) == 2 * MANY


def test_who_wants_more_than_the_fleet_has_excuses_no_more_than_that():
    fleet, revocations = full(), Revocations()
    fleet.submit("other", request=Request(slots_max=4096), priority=1)
    assert refused(fleet, revocations) == 0
    assert refused(fleet, revocations, now=2.0) == MANY - MOST_WASTED


def test_an_equal_of_the_same_project_excuses_nothing():
    fleet, revocations = full(), Revocations()
    fleet.submit("other", request=Request(slots_max=3))
    assert refused(fleet, revocations) == MANY - MOST_WASTED


def test_what_executes_or_is_protected_or_unknown_is_no_waste():
    kept = c.PolicySpec(priority_class=PriorityClass("kept", 0))
    for fleet in (full(cases=("t.py::one",)), full(policy=kept)):
        assert refused(fleet, Revocations()) == 0
    assert refused(full(), Revocations(), ["nobody"] * MANY) == 0


def test_what_its_class_would_end_at_once_is_waste_although_it_executes():
    hurried = c.PolicySpec(priority_class=PriorityClass("hurried", 0, preemptible=True, grace=0.0))
    assert refused(full(cases=("t.py::one",), policy=hurried), Revocations()) == MANY - MOST_WASTED


@given(st.lists(st.tuples(st.floats(0.0, 30.0), st.integers(1, MANY)), max_size=12), st.integers(0, 5))
def test_no_window_has_more_waste_than_is_allowed_and_excused(asked, wanted):
    fleet, revocations = full(), Revocations()
    if wanted:
        fleet.submit("other", request=Request(slots_max=wanted), priority=1)
    names = list(fleet.state.allocations)
    now, granted = 0.0, []
    for pause, count in asked:
        now += pause
        granted += [now] * (count - refused(fleet, revocations, names[:count], now))
    for begin in granted:
        assert sum(begin <= at < begin + WINDOW_SECONDS for at in granted) <= MOST_WASTED + MANY * bool(wanted)
