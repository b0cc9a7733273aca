"""Whatever happens in whatever order: no case is lost or counted twice, and once all is well again every run ends."""

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.evolve import evolve
from crossfleet.coordinator.core.last_cases import CopyAssigned, CopyEnded, LimitsLearnt, SlotsGivenBack
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.outcomes import BAD, Cause, Outcome, RerunPlacement, WorkerState
from crossfleet.coordinator.core.priority_class import AllocationPreempted, PriorityClass
from crossfleet.coordinator.core.semaphore import SetSemaphore
from crossfleet.matching.model import Request
from services.coordinator.tests.core.fleet import Fleet

PLACEMENTS = tuple(RerunPlacement)
CAUSES = (Cause.DONE, Cause.CRASHED, Cause.OUT_OF_MEMORY, Cause.PREEMPTED, Cause.NETWORK)
STEPS = (
    "place",
    "collect",
    "finish",
    "partly",
    "want",
    "lose",
    "rejoin",
    "hello",
    "end",
    "stop",
    "submit",
    "close",
    "pass",
    "seats",
    "let go",
    "revoke",
)
CLASSES = (
    None,
    PriorityClass("kept", 0),
    PriorityClass("patient", 0, preemptible=True),
    PriorityClass("batch", 0, preemptible=True, grace=3.0),
    PriorityClass("cheap", 0, preemptible=True, grace=0.0),
)
NEEDS = (
    {"later": ("default",)},
    {"later": ("default?",), "last": ("later", "default")},
    {"default": ("last",), "last": ("later?",)},
)


def step(fleet: Fleet, name: str, pick: int) -> None:
    state = fleet.state
    live = fleet.live()
    attempt = live[pick % len(live)] if live else None
    allocations = list(state.allocations.values())
    allocation = allocations[pick % len(allocations)] if allocations else None
    worker = sorted(state.workers)[pick % len(state.workers)]
    if name == "place":
        fleet.place()
    elif name == "collect" and allocation and not allocation.ready:
        ids = tuple(f"m{number % 4}::t{number}" for number in range(20))
        ids, digest = (ids, "d1") if pick % 3 else (ids[::-1][2:], "d2")
        fleet.collect(allocation.allocation_id, ids, digest=digest)
    elif name == "finish" and attempt:
        fleet.finish(attempt, outcome=Outcome.FAILED if pick % 7 == 0 else Outcome.PASSED)
    elif name == "partly" and attempt:
        fleet.finish(attempt, CAUSES[pick % len(CAUSES)], indices=attempt.cases[: pick % (len(attempt.cases) + 1)])
    elif name == "want" and allocation:
        fleet.do(c.WantTasks(allocation.worker_id, allocation.allocation_id, tuple(allocation.slots)))
    elif name == "lose":
        fleet.do(c.WorkerLost(worker, "lost"))
    elif name == "rejoin" and state.workers[worker].state is WorkerState.LOST:
        fleet.join(worker, incarnation=f"i{pick}", session=f"s{pick}")
    elif name == "hello" and state.workers[worker].state is not WorkerState.LOST:
        mine = sorted(state.workers[worker].allocations)[pick % 2 :]
        known = {one: [a.attempt_id for a in live if a.allocation_id == one] for one in mine}
        held = tuple(
            c.HeldAllocation(one, tuple(ids[pick % 2 :]), (), tuple(state.allocations[one].slots) * (pick % 3 > 0))
            for one, ids in known.items()
        )
        answer = fleet.join(worker, incarnation=state.workers[worker].incarnation, session=f"s{pick}", held=held)
        fleet.do(c.AttemptsMissing(worker, f"s{pick}", answer.undelivered))
    elif name == "end" and allocation:
        cause = (Cause.ENVIRONMENT, Cause.DONE)[pick % 2]
        fleet.report(allocation.worker_id, c.AllocationEnded(allocation.allocation_id, cause, "ended"))
    elif name == "revoke" and allocation:
        fleet.do(c.ApplyPlan("revoking", (), (allocation.allocation_id,)))
    elif name == "stop" and pick % 5 == 0:
        fleet.do(c.StopRun(f"run{pick % 3}", "stopped"))
    elif name == "submit":
        run_id = f"run{len(state.requests)}"
        policy = c.PolicySpec(max_failures=pick % 3, max_reruns=pick % 4, rerun_placement=PLACEMENTS[pick % 3])
        fleet.submit(
            run_id,
            tuple(f"{n}" for n in range(pick % 30)),
            policy=replace(policy, rerun_delay=pick % 2, speculate=pick % 2 * 50, priority_class=CLASSES[pick % 5]),
            estimates=tuple(0.1 for _ in range(pick % 30)) if pick % 5 else (),
            targets=("default", "later", "last")[: 1 + pick % 3],
            needs=NEEDS[pick % len(NEEDS)] if pick % 3 == 2 else None,
            request=Request(semaphores=(("seat", 1 + pick % 2),)) if pick % 4 == 1 else None,
        )
    elif name == "seats":
        fleet.do(SetSemaphore("seat", 2 + pick % 3))
    elif name == "pass":
        fleet.now += 1.0 + pick % 4
        fleet.do(c.PassTime())
    elif name == "close":
        fleet.close_what_is_closing()
    elif name == "let go":
        fleet.let_go()


def heal(fleet: Fleet) -> None:
    """Everybody is well again; what is asked for from now on is done."""
    for name, worker in list(fleet.state.workers.items()):
        if worker.state is WorkerState.LOST:
            fleet.join(name, incarnation="healed", session="healed")
    for _ in range(300):
        fleet.now += 1.0
        fleet.do(c.PassTime())
        fleet.let_go()
        fleet.place()
        for allocation in list(fleet.state.allocations.values()):
            if not allocation.ready and not allocation.closing:
                fleet.collect(allocation.allocation_id, tuple(f"m{n % 4}::t{n}" for n in range(20)), digest="d1")
        for attempt in fleet.live():
            if attempt.attempt_id in fleet.state.attempts:
                fleet.finish(attempt)
        fleet.close_what_is_closing()
        if all(run.forgettable for run in fleet.state.runs.values()):
            return
    raise AssertionError("a run never ended")


def without_memory(state: State):
    """What must be equal after a replay; sets and dictionaries compare by content."""
    return (
        state.runs,
        state.allocations,
        state.attempts,
        state.workers,
        state.revoked,
        state.next_attempt,
        state.semaphores,
        state.preempted,
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 1000)), max_size=60))
def test_no_order_of_events_loses_or_repeats_a_case_and_every_run_ends(steps):
    fleet = Fleet()
    fleet.join("w1", slots=2)
    fleet.join("w2", slots=1, session="s2")
    fleet.do(SetSemaphore("seat", 2))
    fleet.submit("run0", policy=c.PolicySpec(max_reruns=2, rerun_placement=RerunPlacement.HOST))
    for name, pick in steps:
        step(fleet, name, pick)
    heal(fleet)

    check_verdicts(fleet)
    replayed = State()
    for event in fleet.events:
        evolve(replayed, event)
    assert without_memory(replayed) == without_memory(fleet.state)
    check_as_an_earlier_version_reads_it(fleet)


def check_verdicts(fleet: Fleet) -> None:
    """Each case has one, and no failure before it was forgotten."""
    verdicts = [(event.group_id, case.case_index) for event in fleet.of(e.CasesFinished) for case in event.cases]
    assert len(verdicts) == len(set(verdicts)), "a case has two verdicts"
    again = {(event.group_id, case.case_index) for event in fleet.of(e.CasesRerun) for case in event.cases}
    shown = {
        (event.group_id, case.case_index): case.outcome for event in fleet.of(e.CasesFinished) for case in event.cases
    }
    assert all(shown[case] is Outcome.FLAKY or shown[case] in BAD for case in again), "a failure was forgotten"
    assert all(outcome is not Outcome.FLAKY or case in again for case, outcome in shown.items())


def check_as_an_earlier_version_reads_it(fleet: Fleet) -> None:
    """It leaves out the facts that only add to others, and finds the same verdicts, each case once."""
    earlier = State()
    for event in fleet.events:
        if not isinstance(event, LimitsLearnt | SlotsGivenBack | CopyAssigned | CopyEnded | AllocationPreempted):
            evolve(earlier, event)
    assert not earlier.attempts
    for group_id, group in fleet.state.groups.items():
        assert earlier.groups[group_id].outcomes == group.outcomes
        assert earlier.groups[group_id].counts == group.counts
        assert not earlier.groups[group_id].queue.pending()
