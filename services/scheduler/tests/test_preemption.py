"""Who has to give back what it holds, and for whom."""

from crossfleet.matching.model import Request, WorkerView
from crossfleet.matching.selectors import Selectors
from crossfleet.scheduler.core.model import Allocation, Delta, Group, Policy
from crossfleet.scheduler.core.session import Session

POLICY = Policy(preemption_gap=10, preemptions_per_hour=2)


def worker(name: str, slots: int = 2) -> WorkerView:
    return WorkerView(name, cpu_cores=slots, slots_total=slots)


def group(name: str, priority: int, wanted: int = 0, **more) -> Group:
    return Group(name, name, priority=priority, wanted_slots=wanted, **more)


def begun(workers, groups, held, policy: Policy = POLICY) -> Session:
    session = Session(policy, Selectors())
    session.replace(Delta(workers=tuple(workers), groups=tuple(groups), allocations=tuple(held)), 1)
    return session


def test_urgent_work_gets_what_less_urgent_work_holds_and_the_least_of_it():
    held = [Allocation("a", "low", "w1", 2), Allocation("b", "low", "w2", 1), Allocation("c", "mid", "w2", 1)]
    session = begun([worker("w1"), worker("w2")], [group("low", 0), group("mid", 5), group("high", 20, 1)], held)
    assert session.plan(0.0)[1].revoke == ("b",)


def test_nothing_is_taken_from_who_is_nearly_as_urgent_or_more():
    held = [Allocation("a", "near", "w1", 1), Allocation("b", "above", "w1", 1)]
    session = begun([worker("w1")], [group("near", 11), group("above", 50), group("high", 20, 1)], held)
    assert session.plan(0.0)[1].revoke == ()


def test_nothing_is_taken_where_something_is_free_or_nobody_asked_for_it():
    held = [Allocation("a", "low", "w1", 1)]
    assert begun([worker("w1")], [group("low", 0), group("high", 20, 1)], held).plan(0.0)[1].revoke == ()
    full = [Allocation("a", "low", "w1", 2)]
    assert begun([worker("w1")], [group("low", 0), group("high", 20, 1)], full, Policy()).plan(0.0)[1].revoke == ()


def test_what_is_being_given_back_is_waited_for():
    session = begun([worker("w1")], [group("low", 0), group("high", 20, 2)], [Allocation("a", "low", "w1", 2)])
    assert session.plan(0.0)[1].revoke == ("a",)
    assert session.plan(0.1)[1].revoke == ()
    session.update(Delta(allocations=(Allocation("a", "low", "w1", 2, closing=True),)), 2)
    assert session.plan(0.2)[1].revoke == ()
    session.update(Delta(removed_allocations=("a",), groups=(group("low", 0, 2),)), 3)
    made = session.plan(0.3)[1]
    assert ([one.group_id for one in made.allocate], made.revoke) == (["high"], ())


def test_a_victim_that_waits_again_preempts_nobody():
    held = [Allocation("a", "high", "w1", 2)]
    session = begun([worker("w1")], [group("low", 0, 2), group("high", 20)], held)
    assert session.plan(0.0)[1].revoke == ()


def test_whole_hosts_are_made_free_where_the_least_is_lost():
    held = [Allocation("a", "low", "w1", 1), Allocation("b", "low", "w1", 1), Allocation("c", "low", "w2", 1)]
    alone = group("high", 20, 1, request=Request(exclusive=True))
    session = begun([worker("w1"), worker("w2")], [group("low", 0), alone], held)
    assert session.plan(0.0)[1].revoke == ("c",)


def test_no_more_is_taken_in_an_hour_than_the_policy_allows():
    session = begun(
        [worker("w1", 4)],
        [group("low", 0), group("high", 20, 4)],
        [Allocation(f"a{n}", "low", "w1", 1) for n in range(4)],
    )
    revoked: list[str] = []
    for n in range(4):
        revoked += session.plan(float(n))[1].revoke
        session.update(Delta(removed_allocations=tuple(revoked), groups=(group("high", 20, 4),)), n + 2)
    assert len(revoked) == 2
