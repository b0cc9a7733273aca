"""A long plan is committed in parts that together are the plan."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core.plan_parts import parts, rest
from crossfleet.coordinator.core.planning import FED_AT_ONCE
from services.coordinator.tests.core.fleet import Fleet

proposals = st.lists(st.sampled_from(["", "", "", "x", "y"]), max_size=40).map(
    lambda gangs: tuple(c.ProposedAllocation(f"g{gang}", f"w{n}", 1, (), gang) for n, gang in enumerate(gangs))
)
REVOKED, WAITING = ("a1", "a2"), (c.WaitingReason("late", False, "busy", "busy"),)


@given(proposals, st.integers(1, 8))
def test_every_proposal_is_in_one_part_under_its_index_in_the_whole(allocate, most):
    plan = c.ApplyPlan("plan", allocate, REVOKED, WAITING)
    found = parts(plan, most)

    numbered = [pair for part in found for pair in zip(part.indices, part.plan.allocate, strict=True)]
    assert sorted(index for index, _ in numbered) == list(range(len(allocate)))
    assert all(allocate[index] is one for index, one in numbered)


@given(proposals, st.integers(1, 8))
def test_a_gang_stays_together_and_nothing_else_makes_a_part_longer(allocate, most):
    found = parts(c.ApplyPlan("plan", allocate), most)

    for gang in ("x", "y"):
        assert sum(any(one.gang_id == gang for one in part.plan.allocate) for part in found) <= 1
    for part in found:
        gangs = [one.gang_id for one in part.plan.allocate]
        assert len(gangs) <= most or len(set(gangs)) == 1


@given(proposals, st.integers(1, 8))
def test_what_is_taken_back_comes_first_and_reasons_come_last(allocate, most):
    found = parts(c.ApplyPlan("plan", allocate, REVOKED, WAITING), most)

    assert [part.plan.revoke for part in found if part.plan.revoke] == [found[0].plan.revoke] == [REVOKED]
    assert [part.plan.waiting for part in found if part.plan.waiting] == [found[-1].plan.waiting] == [WAITING]


def _given(cases, slots):
    fleet = Fleet()
    for number in range(slots):
        fleet.join(f"w{number:02}", slots=1)
    fleet.submit(cases=[f"case-{number}" for number in range(cases)])
    allocate = tuple(c.ProposedAllocation("run/default", f"w{number:02}", 1, ()) for number in range(slots))
    return fleet, parts(c.ApplyPlan("plan", allocate), 8)


def test_what_comes_first_of_a_plan_takes_nothing_away_from_what_comes_later():
    fleet, found = _given(cases=80, slots=80)
    answers = [fleet.do(part.plan) for part in found]

    assert not [one for answer in answers for one in answer.refused]
    assert [len(attempt.cases) for attempt in fleet.live()] == [1] * 80


@pytest.mark.parametrize("slots_of_a_worker", [1, 300])
def test_many_slots_get_their_work_part_by_part_and_each_as_much_as_if_all_were_given_at_once(slots_of_a_worker):
    fleet = Fleet()
    allocate = []
    for number in range(300 // slots_of_a_worker):
        fleet.join(f"w{number:03}", slots=slots_of_a_worker)
        allocate.append(c.ProposedAllocation("run/default", f"w{number:03}", slots_of_a_worker, ()))
    fleet.submit(cases=[f"case-{number}" for number in range(300)])
    begun, left = [], deque(parts(c.ApplyPlan("plan", tuple(allocate)), 32))
    while left:
        before = len(fleet.live())
        answer = fleet.do(left.popleft().plan)
        begun.append(len(fleet.live()) - before)
        if answer.unfed:
            left.append(rest("plan", answer.unfed))

    assert sum(begun) == 300
    assert slots_of_a_worker > FED_AT_ONCE or max(begun) <= FED_AT_ONCE
    assert [len(attempt.cases) for attempt in fleet.live()] == [1] * 300


def test_a_group_whose_plan_was_broken_off_works_with_what_it_got():
    fleet, found = _given(cases=80, slots=16)
    fleet.do(found[0].plan)
    assert not fleet.live()
    fleet.do(c.PassTime())

    assert len({attempt.worker_id for attempt in fleet.live()}) == 8


def test_a_group_that_gets_nothing_by_the_last_part_works_with_what_it_got_before():
    fleet, found = _given(cases=80, slots=16)
    fleet.do(found[0].plan)
    for name in list(fleet.state.workers)[8:]:
        fleet.do(c.WorkerLost(name, "silent"))
    assert len(fleet.do(found[1].plan).refused) == 8

    assert len({attempt.worker_id for attempt in fleet.live()}) == 8
