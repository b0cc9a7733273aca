"""Who has to give back what it holds, and for whom."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfleet.matching.model import Device, DeviceRequest, Request, WorkerState, WorkerView
from crossfleet.matching.selectors import Selectors
from crossfleet.scheduler.core.model import Allocation, Delta, Group, Policy, Share
from crossfleet.scheduler.core.planner import Planner
from crossfleet.scheduler.core.session import Session
from crossfleet.scheduler.core.snapshot import Snapshot
from services.scheduler.tests.loads import SELECTORS, planned, snapshots

POLICY = Policy(preemption_gap=10, preemptions_per_hour=2)


def worker(name: str, slots: int = 2, **more) -> WorkerView:
    return WorkerView(name, cpu_cores=slots, slots_total=slots, **more)


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


def test_a_host_with_several_workers_is_made_free_of_all_that_is_on_it():
    held = [Allocation("a", "low", "w1", 1), Allocation("b", "low", "w2", 1)]
    alone = group("high", 20, 1, request=Request(exclusive=True))
    session = begun([worker("w1", host="h1"), worker("w2", host="h1")], [group("low", 0), alone], held)
    assert sorted(session.plan(0.0)[1].revoke) == ["a", "b"]


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


def test_a_class_that_preempts_takes_from_lower_ones_that_allow_it_however_the_scheduler_is_set_up():
    held = [Allocation("a", "kept", "w1", 2), Allocation("b", "batch", "w2", 2)]
    batch, urgent = group("batch", -10, preemptible=True), group("urgent", 5, 1, preempts=True)
    kept = group("kept", -20, preemptible=False)
    assert begun([worker("w1"), worker("w2")], [kept, batch, urgent], held, Policy()).plan(0.0)[1].revoke == ("b",)
    # Neither what no class speaks of, nor what is as urgent.
    for other in (group("batch", -10), group("batch", 5, preemptible=True), group("batch", 9, preemptible=True)):
        assert begun([worker("w1"), worker("w2")], [kept, other, urgent], held, Policy()).plan(0.0)[1].revoke == ()
    calm = group("urgent", 5, 1)
    assert begun([worker("w1"), worker("w2")], [kept, batch, calm], held, Policy()).plan(0.0)[1].revoke == ()


def test_a_class_that_is_protected_is_never_taken_from_whatever_the_settings_say():
    held = [Allocation("a", "low", "w1", 2)]
    policy = Policy(preemption_gap=1, preemption_ratio=1.0)
    rows = [group("low", 0, preemptible=False), group("high", 20, 1, project="other", preempts=True)]
    assert begun([worker("w1")], rows, held, policy).plan(0.0)[1].revoke == ()


def test_more_urgent_work_that_may_take_nothing_does_not_keep_a_class_from_what_is_its_own():
    held = [Allocation("a", "batch", "w1", 2), Allocation("b", "busy", "w2", 2)]
    first = group("first", 50, 1, request=Request('worker.labels.kind == "b"'))
    urgent = group("urgent", 5, 1, request=Request('worker.labels.kind == "a"'), preempts=True)
    rows = [group("batch", 0, preemptible=True), group("busy", 0), first, urgent]
    workers = [worker("w1", labels={"kind": "a"}), worker("w2", labels={"kind": "b"})]
    assert begun(workers, rows, held, Policy()).plan(0.0)[1].revoke == ("a",)


GPU = Request('worker.labels.kind == "a"', devices=(DeviceRequest("gpu"),))


def beside(*devices: str, kind: str = "a", slots: int = 1) -> WorkerView:
    """One of two workers of a host that offer the same devices."""
    return worker(
        f"w-{kind}", slots, host="h", labels={"kind": kind}, devices=tuple(Device(one, "gpu") for one in devices)
    )


def test_a_device_is_taken_back_from_who_holds_it_on_another_worker_of_the_host():
    held = [Allocation("a", "batch", "w-a", 1), Allocation("b", "batch", "w-b", 1, ("d0",))]
    batch, urgent = group("batch", 0, preemptible=True), group("urgent", 5, 1, request=GPU, preempts=True)
    free = beside("d0", slots=2)
    assert begun([free, beside("d0", kind="b")], [batch, urgent], held, Policy()).plan(0.0)[1].revoke == ("b",)
    full = beside("d0")
    revoked = begun([full, beside("d0", kind="b")], [batch, urgent], held, Policy()).plan(0.0)[1].revoke
    assert sorted(revoked) == ["a", "b"]


def test_slots_are_taken_from_nobody_where_the_device_stays_in_use_on_another_worker_of_the_host():
    held = [Allocation("a", "batch", "w-a", 1), Allocation("b", "kept", "w-b", 1, ("d0",))]
    rows = [group("batch", 0, preemptible=True), group("kept", 0), group("urgent", 5, 1, request=GPU, preempts=True)]
    assert begun([beside("d0"), beside("d0", kind="b")], rows, held, Policy()).plan(0.0)[1].revoke == ()
    rows[1] = group("kept", 0, preemptible=False)
    policy = Policy(preemption_gap=1)
    assert begun([beside("d0"), beside("d0", kind="b")], rows, held, policy).plan(0.0)[1].revoke == ()


def test_who_holds_no_device_that_is_wanted_keeps_his_slots_where_those_suffice_that_another_gives_back():
    held = [Allocation("a", "lowest", "w-a", 1), Allocation("b", "low", "w-a", 1, ("d0",))]
    rows = [group("lowest", -5, preemptible=True), group("low", 0, preemptible=True)]
    rows.append(group("urgent", 5, 1, request=GPU, preempts=True))
    assert begun([beside("d0", slots=2)], rows, held, Policy()).plan(0.0)[1].revoke == ("b",)


FAIR = Policy(preemption_ratio=2.0)


def test_a_poor_project_gets_a_host_alone_that_a_rich_one_holds_through_a_worker_that_drains():
    draining = worker("w2", host="h", state=WorkerState.DRAINING)
    held = [Allocation("a", "rich", "w3", 6), Allocation("b", "rich", "w2", 1)]
    poor = group("poor", 0, 1, project="poor", request=Request(exclusive=True))
    session = begun(
        [worker("w1", 1, host="h"), draining, worker("w3", 6)], [group("rich", 0, project="rich"), poor], held, FAIR
    )
    assert session.plan(0.0)[1].revoke == ("b",)


def settled(rows: Delta, policy: Policy) -> tuple[Snapshot, int]:
    """Accept what is proposed and give back what is revoked until nothing changes; answers how many were revoked."""
    snapshot, planner, revoked = Snapshot.of(rows, 1), Planner(policy, SELECTORS), 0
    for step in range(100):
        made = planner.plan(snapshot, 0.0)
        if not made.allocate and not made.revoke:
            return snapshot, revoked
        revoked += len(made.revoke)
        more: Counter[str] = Counter()
        for back in made.revoke:
            more[snapshot.allocations[back].group_id] += snapshot.allocations[back].slots
        for one in made.allocate:
            more[one.group_id] -= one.slots
        groups = [(snapshot.groups[one], slots) for one, slots in more.items()]
        got = [
            Allocation(f"{step}-{at}", one.group_id, one.worker_id, one.slots, one.device_ids, portions=one.portions)
            for at, one in enumerate(made.allocate)
        ]
        less = [replace(one, wanted_slots=max(one.wanted_slots + slots, 0)) for one, slots in groups]
        snapshot.apply(Delta(groups=tuple(less), allocations=tuple(got), removed_allocations=made.revoke), step + 2)
    pytest.fail("allocations go in circles")


def test_a_project_gets_what_another_has_far_more_of_until_that_is_not_so_any_more():
    held = [Allocation(f"a{n}", "rich", "w1", 1) for n in range(6)]
    groups = (group("rich", 0, project="rich"), group("poor", 0, 6, project="poor"))
    snapshot, revoked = settled(Delta(workers=(worker("w1", 6),), groups=groups, allocations=tuple(held)), FAIR)
    assert revoked == 2
    assert sum(one.slots for one in snapshot.held_by("poor")) == 2


@given(snapshots, st.sampled_from([0, 1]), st.sampled_from([0.1, 1.0, 1.5, 2.0]))
def test_whoever_was_preempted_never_takes_it_back(rows, gap, ratio):
    snapshot, revoked = settled(rows, Policy(preemption_gap=gap, preemption_ratio=ratio))
    assert revoked <= len(rows.allocations) + len(snapshot.allocations)


def test_a_projects_weight_says_what_is_far_more():
    held = [Allocation(f"a{n}", "rich", "w1", 1) for n in range(6)]
    groups = [group("rich", 0, project="rich"), group("poor", 0, 1, project="poor")]
    session = Session(FAIR, Selectors())
    rows = Delta(workers=(worker("w1", 6),), groups=tuple(groups), allocations=tuple(held))
    session.replace(replace(rows, shares=(Share("rich", weight=6.0),)), 1)
    assert session.plan(0.0)[1].revoke == ()
    session.replace(replace(rows, shares=(Share("rich", weight=2.0),)), 2)
    assert len(session.plan(0.0)[1].revoke) == 1


def test_a_poor_project_takes_nothing_from_more_urgent_work():
    held = [Allocation(f"a{n}", "rich", "w1", 1) for n in range(6)]
    groups = [group("rich", 1, project="rich"), group("poor", 0, 1, project="poor")]
    assert begun([worker("w1", 6)], groups, held, FAIR).plan(0.0)[1].revoke == ()


def test_who_can_never_be_placed_does_not_keep_others_from_what_is_theirs():
    held = [Allocation("a", "low", "w1", 2)]
    never = group("never", 30, 9, request=Request(slots_min=9))
    session = begun([worker("w1")], [group("low", 0), never, group("high", 20, 1)], held)
    assert session.plan(0.0)[1].revoke == ("a",)


@given(snapshots, st.sampled_from([0, 1]), st.sampled_from([0.0, 1.0, 2.0]))
def test_only_what_is_less_urgent_or_of_a_project_that_stays_richer_is_taken(rows, gap, ratio):
    rows = replace(rows, shares=())
    snapshot, found = planned(rows, policy=Policy(preemption_gap=gap, preemption_ratio=ratio, reservations=0))
    held = {one.id: one for one in rows.allocations}
    taken = [held[one] for one in found.revoke]
    workers = [snapshot.workers[one.worker_id] for one in taken]
    assert len({one.host or one.name for one in workers}) <= 1
    waiting = [one for one in snapshot.groups.values() if one.id in {told.group_id for told in found.waiting}]
    for one in taken:
        victim = snapshot.groups[one.group_id]
        above = [other for other in waiting if other.priority > victim.priority]
        assert victim.preemptible is not False
        assert (
            (victim.preemptible and any(other.preempts for other in above))
            or (gap and any(other.priority - victim.priority >= gap for other in waiting))
            or (
                ratio
                and any(other.project != victim.project and other.priority >= victim.priority for other in waiting)
            )
        )
