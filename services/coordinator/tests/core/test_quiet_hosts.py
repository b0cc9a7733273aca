"""Whoever wants a host alone gets it, whichever of its workers it is; a host that is not quiet is left for another."""

from __future__ import annotations

import pytest

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.cases import CollectedCase
from crossfleet.coordinator.core.health import Health
from crossfleet.coordinator.core.outcomes import Cause, Outcome, RunVerdict, WorkerState
from crossfleet.matching.gates import Gates
from crossfleet.matching.model import Request
from services.coordinator.tests.core.fleet import Fleet

ALONE = Request(exclusive=True)
QUIET = Request(exclusive=True, gates=Gates(load=0.5))
CASES = ("test_a.py::test_1", "test_a.py::test_2")


def fleet_of(*hosts):
    """Workers w1, w2, ... on these hosts."""
    fleet = Fleet()
    for number, host in enumerate(hosts, 1):
        fleet.join(f"w{number}", session=f"s{number}", host=host, gates=frozenset({"load"}))
    return fleet


def propose(fleet, *pairs, slots=1):
    """The answer to a plan that gives slots of workers to groups."""
    items = tuple(c.ProposedAllocation(f"{run}/default", worker, slots, ()) for run, worker in pairs)
    return fleet.do(c.ApplyPlan("plan", items))


def test_a_request_for_a_host_alone_waits_until_its_other_workers_are_idle():
    fleet = fleet_of("h1", "h1", "h2")
    fleet.submit("plain")
    fleet.submit("alone", request=ALONE)
    assert propose(fleet, ("plain", "w1")).accepted

    (refused,) = propose(fleet, ("alone", "w2")).refused
    assert refused.reason == "RESOURCES_UNAVAILABLE"
    assert refused.text == "the host of w2 is in use, and the request wants it alone"
    assert propose(fleet, ("alone", "w3")).accepted


def test_nothing_is_placed_beside_whoever_has_a_host_alone():
    fleet = fleet_of("h1", "h1", "h2")
    fleet.submit("alone", request=ALONE)
    fleet.submit("plain")
    assert propose(fleet, ("alone", "w1")).accepted

    (refused,) = propose(fleet, ("plain", "w2")).refused
    assert refused.text == "somebody has the host of w2 alone"
    assert propose(fleet, ("plain", "w3")).accepted


@pytest.mark.parametrize("order", [(("alone", "w1"), ("plain", "w2")), (("plain", "w2"), ("alone", "w1"))])
def test_of_one_plan_too_only_one_gets_the_host(order):
    fleet = fleet_of("h1", "h1")
    fleet.submit("alone", request=ALONE)
    fleet.submit("plain")
    answer = propose(fleet, *order)
    assert (len(answer.accepted), [one.index for one in answer.refused]) == (1, [1])


def test_a_worker_that_drains_or_was_restored_still_makes_noise():
    fleet = fleet_of("h1", "h1")
    fleet.submit("plain")
    fleet.submit("alone", request=ALONE)
    propose(fleet, ("plain", "w1"))
    fleet.do(c.DrainWorker("w1", True, "later"))
    assert fleet.state.workers["w1"].state is WorkerState.DRAINING
    assert propose(fleet, ("alone", "w2")).refused


def test_workers_that_do_not_say_on_which_host_they_are_have_one_each():
    fleet = fleet_of("", "")
    fleet.submit("plain")
    fleet.submit("alone", request=ALONE)
    assert len(propose(fleet, ("plain", "w1"), ("alone", "w2")).accepted) == 2


def test_a_worker_that_cannot_measure_a_gate_gets_none_of_its_cases():
    fleet = fleet_of("h1")
    fleet.submit("hot", request=Request(exclusive=True, gates=Gates(load=0.5, temperature=80)))
    (refused,) = propose(fleet, ("hot", "w1")).refused
    assert (refused.reason, refused.text) == ("REQUEST_NOT_SATISFIED", "temperature cannot be measured on w1")


def placed(fleet):
    """The worker that the run's cases are on now, which have been collected."""
    (allocation_id,) = fleet.place()
    allocation = fleet.state.allocations[allocation_id]
    cases = tuple(CollectedCase(one, ("test_a.py",), exclusive=True) for one in CASES)
    fleet.do(c.RecordCollection(allocation.worker_id, allocation_id, "d", cases))
    return allocation


def not_quiet(fleet, allocation):
    text = "the host was not quiet within 120 s: load 2 cores of others, more than 0.5"
    fleet.report(allocation.worker_id, c.AllocationEnded(allocation.allocation_id, Cause.NOT_QUIET, text))


def test_cases_whose_host_does_not_become_quiet_go_to_another_and_nobody_is_to_blame():
    fleet = fleet_of("h1", "h2")
    fleet.submit(request=QUIET)
    first = placed(fleet)
    not_quiet(fleet, first)
    second = placed(fleet)
    assert second.worker_id != first.worker_id
    assert fleet.state.workers[first.worker_id].health.get("", Health()) == Health()
    fleet.work()
    assert fleet.of(e.RunFinished)[0].verdict is RunVerdict.PASSED


def test_a_fleet_that_never_becomes_quiet_fails_the_run_by_infrastructure_and_says_what_was_measured():
    fleet = fleet_of("h1", "h2")
    fleet.submit(request=QUIET)
    for _ in range(3):
        not_quiet(fleet, placed(fleet))
    (finished,) = fleet.of(e.RunFinished)
    assert finished.verdict is RunVerdict.INFRASTRUCTURE
    ends = [one for event in fleet.of(e.CasesFinished) for one in event.cases]
    assert {one.outcome for one in ends} == {Outcome.NOT_RUN}
    assert all("load 2 cores of others, more than 0.5" in one.message for one in ends)
