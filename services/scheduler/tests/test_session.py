"""What a stream remembers between plans."""

import pytest

from crossfleet.matching.model import WorkerView
from crossfleet.matching.selectors import Selectors
from crossfleet.scheduler.core.model import Allocation, Delta, Group, Policy
from crossfleet.scheduler.core.session import Gap, Outcome, Session

WORKER = WorkerView("w1", slots_total=2)
GROUP = Group("g", "r", wanted_slots=2)


def begun() -> Session:
    session = Session(Policy(), Selectors())
    session.replace(Delta(workers=(WORKER,), groups=(GROUP,)), 1)
    return session


def test_an_unanswered_proposal_is_not_made_again():
    session = begun()
    assert [one.slots for one in session.plan(0.0)[1].allocate] == [2]
    session.update(Delta(groups=(GROUP,)), 2)
    again = session.plan(0.1)[1]
    assert (again.allocate, again.waiting) == ((), ())


def test_an_accepted_proposal_gives_way_to_its_allocation():
    session = begun()
    plan_id, _ = session.plan(0.0)
    session.update(Delta(allocations=(Allocation("a", "g", "w1", 2),), groups=(Group("g", "r", wanted_slots=1),)), 2)
    session.answer(Outcome(plan_id), 0.1)
    session.update(Delta(removed_allocations=("a",)), 3)
    assert [one.slots for one in session.plan(0.2)[1].allocate] == [1]


def test_an_allocation_settles_its_proposal_even_without_an_outcome():
    session = begun()
    session.plan(0.0)
    session.update(Delta(allocations=(Allocation("a", "g", "w1", 2),)), 2)
    session.update(Delta(removed_allocations=("a",)), 3)
    assert [one.slots for one in session.plan(0.2)[1].allocate] == [2]


def test_a_refused_proposal_rests_and_then_is_made_again():
    session = begun()
    plan_id, _ = session.plan(0.0)
    session.answer(Outcome(plan_id, (0,)), 0.0)
    resting = session.plan(0.5)[1]
    assert (resting.allocate, resting.waiting[0].code) == ((), "refused")
    assert session.due(0.5) == 1.0
    assert session.plan(1.0)[1].allocate


def test_a_refusal_that_ends_while_a_plan_is_made_is_not_slept_through():
    session = begun()
    plan_id, _ = session.plan(0.0)
    session.answer(Outcome(plan_id, (0,)), 0.0)
    assert not session.plan(0.9)[1].allocate
    assert session.due(1.1) == 1.0


def test_patience_that_ends_while_a_plan_is_made_is_not_slept_through():
    session = Session(Policy(patience_seconds=10.0), Selectors())
    urgent = Group("u", "u", "p", wanted_slots=9, priority=1)
    waits = Group("g", "g", "q", wanted_slots=1, submitted_at=0.0)
    session.replace(Delta(workers=(WORKER,), groups=(urgent, waits)), 1)
    session.plan(9.9)
    assert session.due(10.2) == 10.0


def test_a_placement_refused_again_rests_longer():
    session = begun()
    for now, until in ((0.0, 1.0), (1.0, 3.0), (3.0, 7.0)):
        plan_id, made = session.plan(now)
        assert made.allocate
        session.answer(Outcome(plan_id, (0,)), now)
        assert session.due(now) == until


def test_a_refusal_of_what_is_no_longer_wanted_does_not_hold_up_what_is():
    session = begun()
    plan_id, _ = session.plan(0.0)
    session.update(Delta(groups=(Group("g", "r", wanted_slots=1),)), 2)
    session.answer(Outcome(plan_id, (0,)), 0.0)
    assert [one.slots for one in session.plan(0.0)[1].allocate] == [1]


def test_a_refusal_is_forgotten_when_its_group_wants_something_else():
    session = begun()
    plan_id, _ = session.plan(0.0)
    session.answer(Outcome(plan_id, (0,)), 0.0)
    session.update(Delta(groups=(Group("g", "r", wanted_slots=1),)), 2)
    assert [one.slots for one in session.plan(0.0)[1].allocate] == [1]


def test_a_refusal_is_forgotten_when_the_worker_gives_something_free():
    session = begun()
    session.update(Delta(allocations=(Allocation("a", "other", "w1", 1),)), 2)
    plan_id, _ = session.plan(0.0)
    session.answer(Outcome(plan_id, (0,)), 0.0)
    session.update(Delta(removed_allocations=("a",)), 3)
    assert session.plan(0.1)[1].allocate


def test_a_refusal_is_forgotten_when_another_worker_of_the_host_gives_something_free():
    session = Session(Policy(), Selectors())
    workers = (WorkerView("w1", slots_total=2, host="h"), WorkerView("w2", slots_total=2, host="h"))
    held = (Allocation("a", "other", "w2", 2),)
    session.replace(Delta(workers=workers, groups=(GROUP,), allocations=held), 1)
    plan_id, _ = session.plan(0.0)
    session.answer(Outcome(plan_id, (0,)), 0.0)
    session.update(Delta(removed_allocations=("a",)), 2)
    assert "w1" in [one.worker_id for one in session.plan(0.1)[1].allocate]


def test_a_proposal_that_is_never_answered_is_given_up():
    session = begun()
    session.plan(0.0)
    assert session.due(0.0) == 5.0
    assert not session.plan(4.9)[1].allocate
    assert session.plan(5.0)[1].allocate


def test_a_missing_delta_is_a_gap_and_changes_nothing():
    session = begun()
    with pytest.raises(Gap):
        session.update(Delta(removed_workers=("w1",)), 3)
    assert session.revision == 1
    assert session.plan(0.0)[1].allocate


def test_a_delta_before_any_snapshot_is_a_gap():
    session = Session(Policy(), Selectors())
    with pytest.raises(Gap):
        session.update(Delta(), 1)
    with pytest.raises(Gap):
        session.plan(0.0)
    assert session.revision == -1


def test_a_new_snapshot_replaces_all_rows_but_not_the_unanswered_proposals():
    session = begun()
    session.plan(0.0)
    session.replace(Delta(workers=(WORKER, WorkerView("w2", slots_total=1)), groups=(GROUP,)), 9)
    assert session.plan(0.1)[1].allocate == ()
    session.replace(Delta(workers=(WorkerView("w2", slots_total=3),), groups=(Group("h", wanted_slots=3),)), 10)
    assert [(one.group_id, one.worker_id) for one in session.plan(0.2)[1].allocate] == [("h", "w2")]


def test_a_worker_that_left_is_not_proposed_any_more():
    session = begun()
    session.update(Delta(removed_workers=("w1",), workers=(WorkerView("w2"),)), 2)
    assert [one.worker_id for one in session.plan(0.0)[1].allocate] == ["w2"]
