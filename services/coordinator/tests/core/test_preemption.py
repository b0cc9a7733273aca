"""What is foreseen of slots that are taken from others, and of those that these are giving back."""

import math
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core.contention import Situation, rivals_of
from crossfleet.coordinator.core.forecast import Span, Work
from crossfleet.coordinator.core.preemption import being_given_back, pool_for
from crossfleet.coordinator.core.priority_class import PriorityClass
from crossfleet.coordinator.core.replay import spans
from crossfleet.matching.model import Request
from services.coordinator.tests.core.fleet import Fleet

WORK = Work(10.0)
URGENT = PriorityClass("urgent", 100, preempts=True)
BATCH = PriorityClass("batch", -10, preemptible=True, grace=30.0)
PATIENT = PriorityClass("patient", -10, preemptible=True)
KEPT = PriorityClass("kept", -10)
HOUR = 3_600.0
ENDING = 1.0
"""What is ended when its grace is over is gone so much later."""


def holds(fleet, name, standing, cases=8, seconds=HOUR, **more):
    """A run of a class, with as many slots as it gets."""
    ids = [f"t.py::case_{number}" for number in range(cases)]
    more = {"estimates": (seconds,) * cases, "priority": standing.priority, **more}
    fleet.submit(name, ids, policy=c.PolicySpec(priority_class=standing), **more)
    fleet.place()


def held_by(*standings, slots=1, **more):
    """A fleet in which each of these has a worker of its own."""
    fleet = Fleet()
    for number, standing in enumerate(standings):
        fleet.join(f"w{number}", slots=slots)
        holds(fleet, f"r{number}", standing, **{"request": Request(slots_max=slots), **more})
    return fleet


def foreseen(fleet, standing=URGENT, *, request=None, work=WORK, later=0.0) -> list[Span]:
    """When work of a class would begin and end that comes now."""
    request = request or Request()
    situation = Situation(fleet.state, lambda _: 0.0, {}, fleet.now + later)
    pool = pool_for(situation, request, standing.priority, standing, max(request.slots_min, 1))
    turn = (-standing.priority, 0.0, math.inf, "")
    return spans(pool, rivals_of(situation, pool), "p", turn, lambda _: work)


def revoke(fleet, *runs):
    ids = [name for name, one in fleet.state.allocations.items() if one.run_id in runs]
    fleet.do(c.ApplyPlan("revoking", (), tuple(ids)))


def test_who_preempts_begins_when_the_grace_of_others_is_over_and_who_does_not_when_they_have_ended():
    fleet = held_by(BATCH, slots=2)

    assert {one.start for one in foreseen(fleet)} == {30.0 + ENDING}
    assert min(one.start for one in foreseen(fleet, PriorityClass("plain", 100))) > HOUR


def test_without_a_grace_the_case_that_executes_is_waited_for_and_within_one_at_most():
    found = foreseen(held_by(PATIENT, slots=2, cases=40, seconds=60.0), later=20.0)
    short = foreseen(held_by(BATCH, cases=40, seconds=10.0))

    assert 15.0 < median(one.start for one in found) < 60.0
    assert 5.0 < median(one.start for one in short) < 15.0
    assert max(one.start for one in short) <= 30.0 + ENDING


@pytest.mark.parametrize("standing", [KEPT, PriorityClass("equal", 100, preemptible=True, grace=0.0)])
def test_nothing_is_taken_from_who_does_not_allow_it_or_is_no_less_urgent(standing):
    assert min(one.start for one in foreseen(held_by(standing))) > HOUR / 2


def test_workers_give_back_one_after_the_other():
    fleet = held_by(BATCH, BATCH, BATCH)

    (span,) = set(foreseen(fleet, work=Work(1_000.0, most=3)))
    joined = [(30.0 + ENDING) * number for number in (1, 2, 3)]
    assert span == Span(joined[0], (1_000.0 + sum(joined)) / 3, 3)


def test_the_least_urgent_is_taken_first():
    low = PriorityClass("low", -20, preemptible=True, grace=5.0)

    assert {one.start for one in foreseen(held_by(BATCH, low))} == {5.0 + ENDING}


def test_slots_that_are_needed_together_are_taken_on_one_worker_or_not_at_all():
    together = Request(slots_min=2)
    for standings in ((BATCH, BATCH), (BATCH, KEPT)):
        apart = foreseen(held_by(*standings), request=together, work=Work(10.0, least=2, most=2))
        assert min(one.start for one in apart) > HOUR / 2
    beside = foreseen(held_by(BATCH, slots=2), request=together, work=Work(10.0, least=2, most=2))
    assert {one.start for one in beside} == {30.0 + ENDING}


def test_a_host_is_taken_alone_only_where_all_that_is_on_it_can_be():
    alone = Request(exclusive=True)
    mixed = Fleet()
    mixed.join("w1", slots=2)
    for name, standing in (("r1", BATCH), ("r2", KEPT)):
        holds(mixed, name, standing, request=Request(slots_max=1))

    assert min(one.start for one in foreseen(mixed, request=alone)) > HOUR / 2
    assert {one.start for one in foreseen(held_by(BATCH, slots=2), request=alone)} == {30.0 + ENDING}


def test_a_gang_takes_nothing():
    assert min(one.start for one in foreseen(held_by(BATCH), request=Request(gang=2))) > HOUR / 2


def test_what_is_being_given_back_is_free_when_its_grace_is_over_whoever_asks():
    fleet = held_by(BATCH, slots=2)
    revoke(fleet, "r0")

    for standing in (URGENT, PriorityClass("plain", 100)):
        assert [one.start for one in foreseen(fleet, standing, later=10.0)] == pytest.approx([20.0 + ENDING] * 41)


def test_what_is_taken_waits_for_what_is_being_given_back():
    fleet = held_by(BATCH, BATCH)
    revoke(fleet, "r0")

    (span,) = set(foreseen(fleet, work=Work(1_000.0, most=2)))
    assert span.end == pytest.approx((1_000.0 + (30.0 + ENDING) * 3) / 2, abs=0.1)


classes = st.builds(
    PriorityClass,
    st.just("c"),
    st.sampled_from([-10, 0, 100]),
    preemptible=st.booleans(),
    grace=st.sampled_from([None, 0.0, 5.0, 1e6]),
)
fleets = st.lists(st.tuples(classes, st.integers(1, 3), st.floats(0.1, 1e4)), min_size=1, max_size=4)


@settings(max_examples=40)
@given(fleets, st.integers(1, 3), st.floats(0, 1e4), st.booleans())
def test_who_preempts_never_begins_or_ends_later_for_it_and_within_the_grace_of_whoever_gives_way(
    holders, most, later, revoked
):
    fleet = Fleet()
    for number, (standing, slots, seconds) in enumerate(holders):
        fleet.join(f"w{number}", slots=slots)
        holds(fleet, f"r{number}", standing, cases=4, seconds=seconds, request=Request(slots_max=slots))
    if revoked:
        revoke(fleet, "r0")

    asked = {"work": Work(50.0, most=most), "later": later}
    taking, waiting = foreseen(fleet, **asked), foreseen(fleet, PriorityClass("plain", 100), **asked)

    for one, other in zip(taking, waiting, strict=True):
        assert one.start <= other.start + 1e-6
        assert one.end <= other.end + 1e-6
    yielding = [one for one, _, _ in holders if one.preemptible and one.priority < 100]
    if not yielding:
        assert taking == waiting
    graces = [one.grace for one in yielding if one.grace is not None]
    if len(graces) == len(holders):
        told = [one for name, one in zip(range(len(holders)), graces, strict=True) if revoked and not name]
        assert max(one.start for one in taking) <= max([*told, 0.0]) + max(graces) + 2 * ENDING + 1e-6


def test_a_group_that_waits_is_told_whose_slots_are_being_given_back_and_until_when():
    fleet = held_by(BATCH, PATIENT, KEPT, slots=2)
    holds(fleet, "urgent", URGENT)
    holds(fleet, "lower", PriorityClass("lower", -50))
    revoke(fleet, "r0", "r1", "r2")

    urgent, lower, victim = (fleet.state.groups[f"{name}/default"] for name in ("urgent", "lower", "r0"))
    assert being_given_back(fleet.state, urgent, fleet.now + 10.0) == (
        "being given back: 2 slots of r0 default within 20 s, 2 slots of r1 default once what executes there has ended"
    )
    assert being_given_back(fleet.state, urgent, fleet.now + 60.0).startswith(
        "being given back: 2 slots of r0 default within 0 s"
    )
    assert not being_given_back(fleet.state, lower, fleet.now)
    assert "r0" not in being_given_back(fleet.state, victim, fleet.now)


def test_nobody_is_told_of_slots_that_he_could_not_use():
    fleet = held_by(BATCH, slots=2)
    holds(fleet, "urgent", URGENT, request=Request(cpu_cores=64.0))
    revoke(fleet, "r0")

    assert not being_given_back(fleet.state, fleet.state.groups["urgent/default"], fleet.now)
