"""Targets with several ways to satisfy them: which counts when, and that nothing is of two at once."""

from dataclasses import replace

import pytest

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.alternatives import choosing
from crossfleet.coordinator.core.outcomes import Cause, GroupState
from crossfleet.coordinator.core.places import AllocationPlaced, AlternativesOpened
from crossfleet.coordinator.core.view import open_groups
from crossfleet.coordinator.core.whereabouts import NONE
from crossfleet.coordinator.ledger import codec
from crossfleet.matching.model import Device
from crossfleet.matching.template import Alternative, Template
from services.coordinator.tests.core.fleet import Fleet

BEST, GOOD = 'worker.labels.kind == "best"', 'worker.labels.kind == "good"'
TWO = Template(alternatives=(Alternative(BEST, 60.0), Alternative(GOOD)))
THREE = Template(alternatives=(Alternative(BEST, 60.0), Alternative(GOOD, 30.0), Alternative("worker.slots > 0")))


def fleet_with(template=TWO, kinds=("best", "good"), **more):
    fleet = Fleet()
    for kind in kinds:
        fleet.join(kind, slots=2, labels={"kind": kind}, host=f"host-{kind}")
    fleet.submit(targets=("gpu",), templates={"gpu": template}, **more)
    return fleet


def group(fleet, name="gpu"):
    return fleet.state.groups[f"run/{name}"]


def wait(fleet, seconds):
    fleet.now += seconds
    fleet.do(c.PassTime())


def take(fleet, worker, slots=2):
    return fleet.do(c.ApplyPlan("plan", (c.ProposedAllocation("run/gpu", worker, slots),)))


def on(fleet):
    return {one.worker_id for one in fleet.state.allocations.values()}


def test_the_first_alternative_alone_is_offered_until_its_time_is_over():
    fleet = fleet_with()
    wait(fleet, 59.0)
    assert take(fleet, "good").accepted == ()
    wait(fleet, 1.0)
    assert [one.count for one in fleet.of(AlternativesOpened)] == [2]
    assert take(fleet, "good").accepted == ("a1",)
    assert [(one.host, one.alternative) for one in fleet.of(AllocationPlaced)] == [("host-good", 1)]


def test_the_first_alternative_still_goes_first_when_the_second_has_come_in():
    fleet = fleet_with()
    wait(fleet, 61.0)
    (row,) = open_groups(fleet.state)
    assert row.request.preferred[0].selector == BEST
    take(fleet, "best")
    assert [one.alternative for one in fleet.of(AllocationPlaced)] == [0]


def test_while_a_group_holds_slots_of_one_alternative_it_gets_no_others_and_nobody_is_blamed_for_asking():
    fleet = fleet_with()
    wait(fleet, 61.0)
    both = (c.ProposedAllocation("run/gpu", "good", 2), c.ProposedAllocation("run/gpu", "best", 2))
    answer = fleet.do(c.ApplyPlan("plan", both))
    assert answer.accepted == ("a1",)
    assert [(one.index, one.excused) for one in answer.refused] == [(1, True)]
    again = take(fleet, "best")
    assert [one.excused for one in again.refused] == [False]
    assert on(fleet) == {"good"}


def test_a_group_that_lost_all_its_slots_is_offered_all_that_have_come_in_and_waits_anew_for_the_next():
    fleet = fleet_with(THREE, kinds=("best", "good", "other"))
    wait(fleet, 61.0)
    take(fleet, "good")
    wait(fleet, 1_000.0)
    assert group(fleet).whereabouts.alternatives == 2
    fleet.do(c.WorkerLost("good", "gone"))
    wait(fleet, 0.5)
    assert take(fleet, "other").accepted == ()
    wait(fleet, 29.0)
    assert group(fleet).whereabouts.alternatives == 2
    wait(fleet, 2.0)
    assert take(fleet, "other").accepted
    assert group(fleet).whereabouts.used == {1: 2, 2: 2}


def test_time_does_not_run_while_a_group_may_not_begin():
    fleet = Fleet()
    fleet.join("good", slots=2, labels={"kind": "good"})
    fleet.submit(targets=("cpu", "gpu"), templates={"gpu": TWO}, needs={"gpu": ("cpu",)})
    wait(fleet, 1_000.0)
    assert group(fleet).whereabouts.alternatives == 1
    (allocation_id,) = fleet.place()
    fleet.collect(allocation_id, ("a::one",))
    fleet.finish(*fleet.live())
    fleet.close_what_is_closing()
    wait(fleet, 0.5)
    wait(fleet, 59.0)
    assert group(fleet).whereabouts.alternatives == 1
    wait(fleet, 1.0)
    assert take(fleet, "good").accepted


def test_an_alternative_that_nobody_could_ever_satisfy_is_not_waited_for():
    fleet = fleet_with(kinds=("good",))
    reason = c.WaitingReason("run/gpu", never=True, code="selector", text="no worker of 1 can take it")
    fleet.do(c.ApplyPlan("plan", waiting=(reason,)))
    wait(fleet, 3.0)
    assert group(fleet).whereabouts.alternatives == 2
    wait(fleet, 1.0)
    assert not group(fleet).over
    wait(fleet, 3.0)
    assert group(fleet).state is GroupState.FAILED


def test_a_run_that_waits_gives_every_alternative_its_time():
    fleet = fleet_with(kinds=("good",), policy=c.PolicySpec(fail_unsatisfiable=False))
    fleet.do(c.ApplyPlan("plan", waiting=(c.WaitingReason("run/gpu", never=True, code="selector", text="no"),)))
    wait(fleet, 30.0)
    assert group(fleet).whereabouts.alternatives == 1
    wait(fleet, 31.0)
    assert group(fleet).whereabouts.alternatives == 2


def test_alternatives_without_a_wait_come_in_together():
    three = Template(alternatives=(Alternative(BEST, 5.0), Alternative(GOOD), Alternative("worker.slots > 0")))
    fleet = fleet_with(three)
    wait(fleet, 5.0)
    assert group(fleet).whereabouts.alternatives == 3


def test_what_must_be_of_one_kind_goes_on_to_the_next_alternative_and_leaves_the_one_before():
    fleet = fleet_with(replace(TWO, one_by_one=True))
    wait(fleet, 60.0)
    assert take(fleet, "best").accepted == ()
    assert take(fleet, "good").accepted


def test_the_granted_device_decides_by_which_alternative_an_allocation_is():
    fleet = Fleet()
    devices = tuple(Device(name, "gpu", {"model": name}) for name in ("old", "new"))
    fleet.join("w", slots=2, devices=devices)
    new_first = Template(alternatives=(Alternative('device.model == "new"'), Alternative('device.model == "old"')))
    fleet.submit(targets=("gpu",), templates={"gpu": new_first})
    wait(fleet, 0.5)
    fleet.do(c.ApplyPlan("plan", (c.ProposedAllocation("run/gpu", "w", 1, ("old",)),)))
    assert [(one.models, one.alternative) for one in fleet.of(AllocationPlaced)] == [(("old",), 1)]


def test_another_leader_offers_the_same_and_lets_time_run_on():
    fleet = fleet_with()
    wait(fleet, 30.0)
    fleet.do(c.DrainWorker("best", drain=True, reason="repair"))
    body = codec.encode_events(enumerate(fleet.events))
    assert next(event for _, event in codec.decode_events(body) if isinstance(event, e.RunSubmitted)).targets == (
        group(fleet).whereabouts.asked,
    )
    wait(fleet, 31.0)
    assert group(fleet).whereabouts.alternatives == 2


def test_targets_without_alternatives_have_no_time_that_runs():
    fleet = Fleet()
    fleet.join()
    fleet.submit()
    assert not choosing(fleet.state)
    fleet.place()
    assert not fleet.of(AllocationPlaced)


def test_a_target_that_failed_where_it_must_not_be_again_goes_elsewhere_or_fails():
    fleet = Fleet()
    for name in ("w1", "w2"):
        fleet.join(name, slots=1, host=f"host-{name}")
    away = Template(selector="!(worker.host in history.failed_hosts)")
    fleet.submit(targets=("gpu",), templates={"gpu": away}, policy=c.PolicySpec(max_attempts=5))
    for name in ("w1", "w2"):
        (allocation_id, *_) = fleet.do(c.ApplyPlan("plan", (c.ProposedAllocation("run/gpu", name, 1),))).accepted
        fleet.report(name, c.AllocationEnded(allocation_id, Cause.ENVIRONMENT, "no room"))
        assert fleet.do(c.ApplyPlan("plan", (c.ProposedAllocation("run/gpu", name, 1),))).accepted == ()
    assert group(fleet).whereabouts.failures == 2
    fleet.do(c.ApplyPlan("plan", waiting=(c.WaitingReason("run/gpu", never=True, code="selector", text="failed"),)))
    wait(fleet, 3.0)
    assert group(fleet).state is GroupState.FAILED


@pytest.mark.parametrize("worker", ["w1", "w2"])
def test_a_target_is_near_another_one_once_that_has_slots(worker):
    fleet = Fleet()
    for name in ("w1", "w2"):
        fleet.join(name, slots=3, host=f"host-{name}")
    fleet.submit(targets=("db", "gpu"), templates={"gpu": Template(near=("db",))})
    assert group(fleet).waiting_text == "db must have slots first"
    fleet.do(c.ApplyPlan("plan", (c.ProposedAllocation("run/db", worker, 1),)))
    assert not group(fleet).held_back
    other = {"w1": "w2", "w2": "w1"}[worker]
    assert take(fleet, other, 1).accepted == ()
    assert take(fleet, worker, 1).accepted
    assert {one.alternative for one in fleet.of(AllocationPlaced)} == {NONE}


def test_targets_that_keep_apart_share_no_host_while_both_run_whoever_comes_first():
    fleet = Fleet()
    for name in ("w1", "w2"):
        fleet.join(name, slots=3, host=f"host-{name}")
    templates = {"db": Template(apart=("gpu",)), "gpu": Template(apart=("db",))}
    fleet.submit(targets=("db", "gpu"), templates=templates)
    plan = (c.ProposedAllocation("run/gpu", "w1", 1), c.ProposedAllocation("run/db", "w1", 1))
    answer = fleet.do(c.ApplyPlan("plan", plan))
    assert len(answer.accepted) == 1
    assert [one.excused for one in answer.refused] == [True]
    fleet.do(c.ApplyPlan("plan", waiting=(c.WaitingReason("run/db", never=True, code="selector", text="no"),)))
    wait(fleet, 10.0)
    assert not group(fleet, "db").over
    (allocation_id,) = answer.accepted
    fleet.report("w1", c.AllocationEnded(allocation_id, Cause.PREEMPTED))
    assert fleet.do(c.ApplyPlan("plan", (c.ProposedAllocation("run/db", "w1", 1),))).accepted


def test_who_kept_apart_is_given_its_time_again_when_the_other_one_has_gone():
    fleet = Fleet()
    fleet.join("w1", slots=3, host="host")
    templates = {"db": Template(apart=("gpu",)), "gpu": Template(apart=("db",))}
    fleet.submit(targets=("db", "gpu"), templates=templates)
    (allocation_id,) = fleet.do(c.ApplyPlan("plan", (c.ProposedAllocation("run/gpu", "w1", 1),))).accepted
    fleet.do(c.ApplyPlan("plan", waiting=(c.WaitingReason("run/db", never=True, code="selector", text="no"),)))
    wait(fleet, 10.0)
    fleet.collect(allocation_id, ("a::one",))
    fleet.finish(*fleet.live())
    assert group(fleet).over
    wait(fleet, 10.0)
    assert not group(fleet, "db").over
    fleet.close_what_is_closing()
    wait(fleet, 1.0)
    assert not group(fleet, "db").over
    wait(fleet, 2.0)
    assert group(fleet, "db").state is GroupState.FAILED
