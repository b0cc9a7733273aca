"""Hosts that fail are taken out, tested, tried and brought back; those that do not are left alone."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.care import room, waits_for_care
from crossfleet.coordinator.core.emitter import Rejection
from crossfleet.coordinator.core.evolve import evolve
from crossfleet.coordinator.core.health import CareForHosts, CarePolicy, Stage
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.outcomes import Cause, Outcome, RunVerdict, WorkerState
from crossfleet.matching.model import Device, DeviceRequest, Request
from services.coordinator.tests.core.fleet import Fleet

POLICY = CarePolicy(share=1 / 3, failures=3.0, rounds=2, test_seconds=10.0, repair_seconds=20.0, rest_seconds=5.0)
IDS = tuple(f"m{number}::case" for number in range(30))


def of(names, **view):
    fleet = Fleet()
    for name in names:
        join(fleet, name, **view)
    return fleet


def join(fleet, name, life=1, **view):
    fleet.join(name, slots=1, incarnation=f"{name}-{life}", session=f"{name}-s{life}", host=name, **view)
    worker = fleet.state.workers[name]
    hello = c.WorkerHello(
        name, worker.incarnation, worker.session_id, worker.view, worker.runners, b"", (), checks_health=True
    )
    fleet.do(hello)


def care(fleet, seconds=1.0, policy=POLICY):
    fleet.now += seconds
    return fleet.do(CareForHosts(policy))


def lose(fleet, name, times=3):
    for _ in range(times):
        fleet.now += 10.0
        fleet.do(c.WorkerLost(name, "nothing was heard of it"))
        join(fleet, name, life=fleet.now)


def host(fleet, name="w1"):
    return fleet.state.workers[name].health[""]


def answer(fleet, name="w1", good=True, report="disk: as it is", device=""):
    health = fleet.state.workers[name].health[device]
    fleet.do(c.HealthChecked(name, device, health.request, good, report))


def stage(fleet, name="w1"):
    return host(fleet, name).stage


def test_a_host_that_is_lost_again_and_again_gets_nothing_new_until_it_has_passed_a_test_and_a_task():
    fleet = of(["w1", "w2", "w3"])
    lose(fleet, "w1")
    care(fleet)
    assert (fleet.state.workers["w1"].state, stage(fleet)) == (WorkerState.QUARANTINED, Stage.TESTING)
    assert host(fleet).cause == "host lost 3 times"

    fleet.submit(cases=IDS)
    refused = fleet.do(c.ApplyPlan("p", (c.ProposedAllocation("run/default", "w1", 1),))).refused
    assert [one.reason for one in refused] == ["WORKER_NOT_SCHEDULABLE"]

    answer(fleet)
    care(fleet)
    assert stage(fleet) is Stage.CANARY
    (attempt,) = fleet.live("w1")
    assert len(attempt.cases) == 1, "a canary is one small task"
    fleet.finish(attempt)
    fleet.close_what_is_closing()
    care(fleet)
    assert (fleet.state.workers["w1"].state, stage(fleet)) == (WorkerState.READY, Stage.WELL)
    fleet.work()
    assert fleet.of(e.RunFinished)[0].verdict is RunVerdict.PASSED


def test_a_canary_that_infrastructure_fails_costs_its_run_nothing_and_its_host_a_round():
    fleet = of(["w1", "w2", "w3"])
    lose(fleet, "w1")
    fleet.submit(cases=IDS, policy=c.PolicySpec(max_attempts=1))
    care(fleet)
    answer(fleet)
    care(fleet)
    (attempt,) = fleet.live("w1")
    fleet.finish(attempt, Cause.DISK_FULL, indices=())
    fleet.close_what_is_closing()

    assert not fleet.of(e.CasesFinished), "its case has a verdict"
    assert not fleet.of(e.AttemptEnded)[-1].charged
    assert fleet.state.groups["run/default"].failures == 0
    care(fleet)
    assert stage(fleet) is Stage.RESTING
    fleet.work()
    assert fleet.of(e.RunFinished)[0].verdict is RunVerdict.PASSED


def test_one_more_test_stands_for_the_canary_when_no_task_waits():
    fleet = of(["w1", "w2", "w3"])
    lose(fleet, "w1")
    care(fleet)
    answer(fleet)
    care(fleet)
    assert (stage(fleet), host(fleet).last, host(fleet).request) == (Stage.TESTING, True, 2)
    answer(fleet)
    care(fleet)
    assert stage(fleet) is Stage.WELL


def test_a_host_whose_tests_fail_is_repaired_tested_again_and_in_the_end_held_for_a_person():
    fleet = of(["w1", "w2", "w3"])
    lose(fleet, "w1")
    care(fleet)
    seen = []
    for _ in range(20):
        if stage(fleet) is Stage.HELD:
            break
        if host(fleet).asks:
            seen.append(host(fleet).repair)
            answer(fleet, good=False)
        care(fleet, 60.0)
    assert seen == [False, True, False, True]
    assert stage(fleet) is Stage.HELD
    care(fleet, 1e6)
    assert stage(fleet) is Stage.HELD, "nobody but a person takes it back"

    fleet.do(c.DrainWorker("w1", False, ""))
    assert (fleet.state.workers["w1"].state, host(fleet).incidents) == (WorkerState.READY, ())


def test_a_test_without_an_answer_has_failed_but_not_while_the_host_is_away():
    fleet = of(["w1", "w2", "w3"])
    lose(fleet, "w1")
    care(fleet)
    request = host(fleet).request
    fleet.do(c.WorkerLost("w1", "gone"))
    care(fleet, 1000.0)
    assert host(fleet).request == request
    join(fleet, "w1", life=99)
    care(fleet)
    assert host(fleet).request == request, "it was asked again and has its time"
    care(fleet, POLICY.test_seconds)
    assert (host(fleet).request, host(fleet).repair) == (request + 1, True)


def test_running_tasks_of_a_host_that_is_taken_out_end_normally():
    fleet = of(["w1", "w2", "w3"])
    lose(fleet, "w1", times=2)
    fleet.submit(cases=IDS)
    fleet.place()
    (attempt,) = fleet.live("w1")
    fleet.do(c.QuarantineWorker("w1", "it smokes"))
    assert fleet.state.attempts[attempt.attempt_id] is attempt
    fleet.finish(attempt)
    assert {case.case_index for one in fleet.of(e.CasesFinished) for case in one.cases} == set(attempt.cases)
    assert host(fleet).cause == "by hand: it smokes"


def test_no_more_than_a_share_of_a_pool_is_out_and_whoever_would_be_next_says_so():
    fleet = of(["w1", "w2", "w3", "w4"])
    for name in ("w1", "w2"):
        lose(fleet, name)
    care(fleet)
    assert sum(worker.quarantined for worker in fleet.state.workers.values()) == 1
    capped = next(name for name in ("w1", "w2") if not fleet.state.workers[name].quarantined)
    assert stage(fleet, capped) is Stage.CAPPED
    assert "1 of 4 of its pool are out" in host(fleet, capped).cause
    assert fleet.state.workers[capped].state is WorkerState.READY


def test_pools_have_caps_of_their_own():
    fleet = of(["w1", "w2"], labels={"pool": "left"})
    for name in ("w3", "w4"):
        join(fleet, name, labels={"pool": "right"})
    for name in ("w1", "w3"):
        for life in range(3):
            fleet.now += 10.0
            fleet.do(c.WorkerLost(name, "gone"))
            join(fleet, name, life=life + 2, labels=fleet.state.workers[name].view.labels)
    care(fleet)
    assert {name for name, worker in fleet.state.workers.items() if worker.quarantined} == {"w1", "w3"}


def test_the_last_host_stays():
    fleet = of(["w1"])
    lose(fleet, "w1", times=6)
    care(fleet)
    assert stage(fleet) is Stage.CAPPED
    assert fleet.state.workers["w1"].state is WorkerState.READY


@pytest.mark.parametrize("end", [c.DrainWorker("w1", True, "new driver"), c.WorkerLeaving("w1", "w1-s1", "SIGTERM")])
def test_a_host_that_is_drained_or_says_that_it_goes_is_not_blamed_for_leaving(end):
    fleet = of(["w1", "w2", "w3"])
    fleet.do(end)
    fleet.do(c.WorkerLost("w1", "gone"))
    assert "" not in fleet.state.workers["w1"].health


def test_a_case_that_takes_two_hosts_memory_is_suspected_itself_and_not_tried_on_a_third():
    fleet = of(["w1", "w2", "w3"])
    fleet.submit(cases=(*IDS, "m::hungry"), policy=c.PolicySpec(max_attempts=5, max_cases_per_task=1))
    for name in ("w1", "w2"):
        fleet.do(c.ApplyPlan("p", (c.ProposedAllocation("run/default", name, 1),)))
    hungry: tuple[int, ...] = ()
    for name in ("w1", "w2"):
        while hungry and fleet.live(name)[0].cases != hungry:
            fleet.finish(fleet.live(name)[0])
        (attempt,) = fleet.live(name)
        hungry = attempt.cases
        fleet.now += 10.0
        fleet.finish(attempt, Cause.OUT_OF_MEMORY, indices=())
    fleet.work()

    (verdict,) = (case for one in fleet.of(e.CasesFinished) for case in one.cases if case.case_index == hungry[0])
    assert verdict.outcome is Outcome.CRASHED
    assert verdict.message == "out of memory on w1, w2: the case is suspected, not the hosts"
    assert fleet.of(e.RunFinished)[0].verdict is RunVerdict.FAILED
    assert not any(known.incidents for worker in fleet.state.workers.values() for known in worker.health.values())


def test_a_case_that_was_not_executing_is_not_suspected():
    fleet = of(["w1", "w2", "w3"])
    fleet.submit(cases=IDS, policy=c.PolicySpec(max_attempts=9))
    for name in ("w1", "w2", "w3"):
        fleet.do(c.ApplyPlan("p", (c.ProposedAllocation("run/default", name, 1),)))
    executing = {attempt.cases[0] for attempt in fleet.live()}
    for name in ("w1", "w2", "w3"):
        fleet.do(c.WorkerLost(name, "gone"))
    assert set(fleet.state.groups["run/default"].struck) == executing


def test_an_environment_that_cannot_be_built_anywhere_speaks_against_no_host():
    fleet = of(["w1", "w2", "w3"])
    fleet.submit(policy=c.PolicySpec(max_attempts=9))
    for name in ("w1", "w2", "w3"):
        fleet.now += 10.0
        fleet.do(c.ApplyPlan("p", (c.ProposedAllocation("run/default", name, 1),)))
        (allocation,) = fleet.state.workers[name].allocations
        fleet.report(name, c.AllocationEnded(allocation, Cause.ENVIRONMENT, "no such package"))
    scores = [len(known.incidents) for worker in fleet.state.workers.values() for known in worker.health.values()]
    assert sum(scores) <= 1


def test_a_device_that_gets_lost_twice_is_out_while_its_host_goes_on():
    devices = tuple(Device(f"gpu{number}", "gpu") for number in range(2))
    fleet = of(["w1", "w2"], devices=devices)
    request = Request(devices=(DeviceRequest("gpu"),))
    fleet.submit(cases=IDS, request=request, policy=c.PolicySpec(max_attempts=9))
    for _ in range(2):
        fleet.now += 10.0
        fleet.do(c.ApplyPlan("p", (c.ProposedAllocation("run/default", "w1", 1, ("gpu0",)),)))
        (attempt,) = fleet.live("w1")
        fleet.finish(attempt, Cause.DEVICE_LOST, indices=())
        (allocation,) = fleet.state.workers["w1"].allocations
        fleet.report("w1", c.AllocationEnded(allocation, Cause.DEVICE_LOST, "it fell off the bus"))
    care(fleet)

    worker = fleet.state.workers["w1"]
    assert worker.state is WorkerState.READY
    assert [sorted(device.conditions) for device in worker.view.devices] == [["quarantined"], []]
    refused = fleet.do(c.ApplyPlan("p", (c.ProposedAllocation("run/default", "w1", 1, ("gpu0",)),))).refused
    assert refused
    for _ in range(2):
        answer(fleet, "w1", device="gpu0")
        care(fleet)
    assert not any(device.conditions for device in fleet.state.workers["w1"].view.devices)
    assert fleet.do(c.ApplyPlan("p", (c.ProposedAllocation("run/default", "w1", 1, ("gpu0",)),))).accepted


def test_of_the_devices_of_an_allocation_the_one_that_its_worker_calls_lost_is_blamed():
    devices = tuple(Device(f"gpu{number}", "gpu") for number in range(2))
    fleet = of(["w1", "w2"], devices=devices)
    fleet.submit(
        cases=IDS, request=Request(devices=(DeviceRequest("gpu", count=2),)), policy=c.PolicySpec(max_attempts=9)
    )
    fleet.do(c.ApplyPlan("p", (c.ProposedAllocation("run/default", "w1", 1, ("gpu0", "gpu1")),)))
    worker = fleet.state.workers["w1"]
    view = replace(worker.view, devices=(devices[0], replace(devices[1], conditions=frozenset({"lost"}))))
    fleet.do(c.WorkerChanged("w1", worker.session_id, view, b""))
    (allocation,) = worker.allocations
    fleet.report("w1", c.AllocationEnded(allocation, Cause.DEVICE_LOST, "it fell off the bus"))

    assert {device: len(known.incidents) for device, known in worker.health.items() if device} == {"gpu1": 1}
    assert not fleet.live("w1")


def test_an_answer_to_an_earlier_test_changes_nothing():
    fleet = of(["w1", "w2", "w3"])
    lose(fleet, "w1")
    care(fleet)
    before = host(fleet)
    fleet.do(c.HealthChecked("w1", "", before.request - 1, True, "late"))
    fleet.do(c.HealthChecked("nobody", "", 1, True, "who"))
    assert host(fleet) == before


def test_a_worker_that_does_not_exist_cannot_be_quarantined():
    assert isinstance(of(["w1"]).do(c.QuarantineWorker("w9", "")), Rejection)


STEPS = ("lose", "environment", "memory", "care", "wait", "answer", "canary", "place", "finish", "hand", "release")


def step(fleet, name, pick):
    worker = sorted(fleet.state.workers)[pick % len(fleet.state.workers)]
    live = fleet.live(worker)
    if name == "lose":
        lose(fleet, worker, times=1)
    elif name == "environment" and live:
        allocation = live[0].allocation_id
        fleet.report(worker, c.AllocationEnded(allocation, Cause.ENVIRONMENT, "it did not start"))
    elif name == "memory" and live:
        fleet.finish(live[0], Cause.OUT_OF_MEMORY, indices=())
    elif name in {"care", "wait"}:
        care(fleet, 1.0 if name == "care" else 120.0)
    elif name == "answer" and host_of(fleet, worker) and host(fleet, worker).asks:
        answer(fleet, worker, good=bool(pick % 3))
    elif name == "place":
        fleet.place()
    elif name in {"finish", "canary"}:
        for attempt in live[: 1 + pick % 2]:
            fleet.finish(attempt)
        fleet.close_what_is_closing()
    elif name == "hand" and pick % 9 == 0:
        fleet.do(c.QuarantineWorker(worker, "doubt"))
    elif name == "release" and pick % 9 == 0:
        fleet.do(c.DrainWorker(worker, False, ""))


def host_of(fleet, worker):
    return fleet.state.workers[worker].health.get("")


def check(fleet, by_hand):
    blamed: set[str] = set()
    for event in fleet.events:
        if isinstance(event, e.WorkerGone):
            blamed.add(event.worker_id)
        if isinstance(event, e.AttemptEnded | e.AllocationClosed) and event.cause in {
            Cause.OUT_OF_MEMORY,
            Cause.ENVIRONMENT,
        }:
            blamed.update(fleet.state.workers)
    out = {name for name, worker in fleet.state.workers.items() if worker.quarantined}
    assert len(out - by_hand) <= max(1, int(len(fleet.state.workers) * POLICY.share))
    assert out - by_hand <= blamed, "a host without failures is out"
    for name in out:
        for allocation_id in fleet.state.workers[name].allocations:
            allocation = fleet.state.allocations[allocation_id]
            assert allocation.closing or allocation.canary, "an allocation of a host that is out goes on"


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(1, 7), st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 1000)), max_size=60))
def test_whatever_fails_the_cap_holds_and_everybody_is_back_or_held_in_the_end(hosts, steps):
    fleet = of([f"w{number}" for number in range(hosts)])
    fleet.submit(cases=IDS, policy=c.PolicySpec(max_attempts=5))
    by_hand: set[str] = set()
    for name, pick in steps:
        step(fleet, name, pick)
        by_hand = {
            one
            for one, worker in fleet.state.workers.items()
            if worker.quarantined and worker.health[""].cause.startswith("by hand")
        }
        check(fleet, by_hand)
    for _ in range(100):
        if not any(worker.quarantined and stage(fleet, name) is not Stage.HELD for name, worker in workers(fleet)):
            break
        for name, worker in workers(fleet):
            if worker.quarantined and host(fleet, name).asks:
                answer(fleet, name, good=len(name) % 2 == 0)
        for attempt in fleet.live():
            if attempt.attempt_id in fleet.state.attempts:
                fleet.finish(attempt)
        fleet.close_what_is_closing()
        care(fleet, 5.0)
        check(fleet, by_hand)
    else:
        raise AssertionError("somebody stayed out for ever")
    replayed = State()
    for event in fleet.events:
        evolve(replayed, event)
    assert (replayed.workers, replayed.groups.keys()) == (fleet.state.workers, fleet.state.groups.keys())


def workers(fleet):
    return list(fleet.state.workers.items())


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.floats(0.0, 1.0))
def test_room_never_takes_the_last_host_nor_more_than_the_share(members, out, serving, share):
    more = room(members, out, serving, share)
    assert more >= 0
    assert more == 0 or more < serving
    assert more == 0 or out + more <= max(1, int(members * share))


def test_nothing_waits_for_care_in_a_fleet_in_which_nothing_failed():
    fleet = of(["w1", "w2"])
    fleet.submit(cases=IDS)
    fleet.work()
    assert not waits_for_care(fleet.state)


def test_a_share_of_zero_takes_nobody_out():
    fleet = of(["w1", "w2", "w3"])
    lose(fleet, "w1", times=6)
    care(fleet, policy=replace(POLICY, share=0.0))
    assert fleet.state.workers["w1"].state is WorkerState.READY
