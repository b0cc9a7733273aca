"""Reruns, groupings, exclusive and first cases, shards and failure limits, in any combination: one verdict for each case."""

from collections import Counter
from dataclasses import dataclass, replace

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.cases import CollectedCase
from crossfleet.coordinator.core.emitter import Rejection
from crossfleet.coordinator.core.evolve import evolve
from crossfleet.coordinator.core.grouping import Grouping, setup_keys
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.outcomes import Cause, Outcome, RerunPlacement, RunState
from crossfleet.coordinator.ledger import codec
from crossfleet.matching.model import Request
from services.coordinator.tests.core.fleet import Fleet

CASES = st.lists(
    st.builds(
        lambda file, klass, named, first, exclusive, most: (file, klass, named, first, exclusive == 0, most),
        st.integers(0, 3),
        st.integers(0, 2),
        st.sampled_from(("", "", "db", "net")),
        st.booleans(),
        st.integers(0, 4),
        st.sampled_from((None, None, None, 1, 3)),
    ),
    min_size=1,
    max_size=24,
)
POLICIES = st.builds(
    c.PolicySpec,
    max_cases_per_task=st.sampled_from((0, 0, 1, 3)),
    max_failures=st.sampled_from((0, 0, 0, 1, 3)),
    max_attempts=st.integers(1, 3),
    grouping=st.sampled_from(Grouping),
    max_reruns=st.integers(0, 2),
    rerun_placement=st.sampled_from(RerunPlacement),
    rerun_wait=st.sampled_from((0.0, 1.0)),
    rerun_delay=st.sampled_from((0.0, 0.0, 1.0)),
)


@dataclass
class Suite:
    """What workers find in it."""

    cases: tuple[CollectedCase, ...]
    reruns: tuple[tuple[int, int], ...]

    def of(self, worker, hides):
        """The collection of a worker that lacks one case of so many."""
        left = [n for n in range(len(self.cases)) if not hides or worker == "w1" or n % hides]
        return (
            tuple(self.cases[n] for n in left),
            tuple((left.index(n), most) for n, most in self.reruns if n in left),
        )


def suite_of(rows):
    cases, reruns = [], []
    for number, (file, klass, named, first, exclusive, most) in enumerate(rows):
        groups = (f"f{file}.py", f"C{klass}") if klass else (f"f{file}.py",)
        cases.append(CollectedCase(f"f{file}.py::t{number}", groups, named, first, exclusive))
        if most:
            reruns.append((number, most))
    return Suite(tuple(cases), tuple(reruns))


def collect(fleet, suite, hides):
    for allocation in list(fleet.state.allocations.values()):
        if allocation.ready or allocation.closing:
            continue
        cases, reruns = suite.of(allocation.worker_id, hides)
        digest = "whole" if len(cases) == len(suite.cases) else "part"
        command = c.RecordCollection(allocation.worker_id, allocation.allocation_id, digest, cases, reruns=reruns)
        assert not isinstance(fleet.do(command), Rejection)


def check_alone(fleet):
    """Nothing of a run executes beside its exclusive cases."""
    for one in fleet.live():
        cases = fleet.state.groups[one.group_id].cases
        if any(cases[index].exclusive for index in one.cases):
            assert all(cases[index].exclusive for index in one.cases)
            assert not [other for other in fleet.live(one.worker_id) if other is not one and other.run_id == one.run_id]


def check_together(fleet, grouping):
    """Cases that a grouping binds are given out in one task, as long as nothing went wrong with them, and every worker has them."""
    seen: dict[tuple[str, str], set[int]] = {}
    again = {(event.group_id, case.case_index) for event in fleet.of(e.CasesRerun) for case in event.cases}
    left = {(event.group_id, index) for event in fleet.of(e.AttemptEnded) for index in event.left}
    group_of = {event.allocation_id: event.group_id for event in fleet.of(e.AllocationOpened)}
    lacking = set()
    for event in fleet.of(e.AllocationReady):
        group_id = group_of[event.allocation_id]
        keys = setup_keys(fleet.state.groups[group_id].cases, grouping).keys
        there = set(event.mapping) if event.mapping else range(len(keys))
        lacking |= {(group_id, key) for index, key in enumerate(keys) if index not in there}
    for event in fleet.of(e.TasksAssigned):
        cases = fleet.state.groups[event.group_id].cases
        shared = setup_keys(cases, grouping)
        for task in event.tasks:
            for index in task.case_indices:
                bound = shared.keys[index] in shared.bound and not cases[index].exclusive
                if (
                    bound
                    and (event.group_id, shared.keys[index]) not in lacking
                    and (event.group_id, index) not in again | left
                ):
                    seen.setdefault((event.group_id, shared.keys[index]), set()).add(task.task_id)
    assert all(len(tasks) == 1 for tasks in seen.values()), seen


def replayed(fleet):
    """The state as a new leader reads it: through the codec, with collections from their own table."""
    state = State()
    for number, event in enumerate(fleet.events):
        ((_, read),) = codec.decode_events(codec.encode_events([(number, event)]))
        if isinstance(event, e.CasesCollected):
            stored = codec.decode_cases(codec.encode_cases(event.cases))
            read = e.CasesCollected(
                event.run_id, event.group_id, event.digest, stored, event.estimates, event.deselected
            )
        evolve(state, read)
    return state


def as_known(state):
    """All that decides what comes next."""
    groups = {
        name: (
            *(getattr(group, field) for field in ("outcomes", "tries", "marks", "earlier", "resting", "measures")),
            *(getattr(group, field) for field in ("state", "cases", "digest", "failures", "avoid", "allocations")),
            group.queue.pending(),
        )
        for name, group in state.groups.items()
    }
    slots = {name: (one.slots, one.first_number, one.mapping) for name, one in state.allocations.items()}
    return (groups, slots, state.attempts, {name: (run.state, run.failures) for name, run in state.runs.items()})


def outcome_of(data, flaky):
    return Outcome.FAILED if data.draw(st.integers(0, 99), label="fate") < flaky else Outcome.PASSED


def act(fleet, data, flaky):
    """One live attempt goes on: all of it, a part and a crash, or its host is lost and comes back."""
    live = fleet.live()
    attempt = live[data.draw(st.integers(0, len(live) - 1), label="attempt")]
    what = data.draw(st.sampled_from(("all", "all", "all", "crash", "lose")), label="what")
    if what == "lose":
        fleet.do(c.WorkerLost(attempt.worker_id, "lost"))
        fleet.join(attempt.worker_id, 3, incarnation=f"i{fleet.now}", session=f"s{fleet.now}")
        return
    pending = [index for index in attempt.cases if index in attempt.pending]
    if what == "crash":
        pending = pending[: data.draw(st.integers(1, len(pending)), label="until")]
    outcomes = [outcome_of(data, flaky) for _ in pending]
    for index, outcome in zip(pending, outcomes, strict=True):
        if attempt.attempt_id in fleet.state.attempts:
            fleet.report(attempt.worker_id, fleet.results(attempt, outcome, indices=(index,)))
            check_alone(fleet)
    if attempt.attempt_id in fleet.state.attempts:
        cause = Cause.CRASHED if what == "crash" else Cause.DONE
        fleet.report(attempt.worker_id, c.AttemptFinished(attempt.attempt_id, cause))
    if attempt.allocation_id in fleet.state.allocations:
        fleet.do(c.WantTasks(attempt.worker_id, attempt.allocation_id, (attempt.slot,)))


def execute(fleet, suite, data, *, flaky, hides):
    for _ in range(2_000):
        fleet.place()
        collect(fleet, suite, hides)
        check_alone(fleet)
        if fleet.live():
            act(fleet, data, flaky)
            check_alone(fleet)
        else:
            fleet.now += 1.0
            fleet.do(c.PassTime())
        fleet.close_what_is_closing()
        if all(run.state is RunState.FINISHED for run in fleet.state.runs.values()) and not fleet.state.allocations:
            return
    raise AssertionError("the run never ended")


# Shrinking what draws as it goes takes minutes.
@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(
    CASES,
    POLICIES,
    st.integers(1, 3),
    st.integers(1, 2),
    st.sampled_from((0, 10, 60)),
    st.sampled_from((0, 0, 3)),
    st.data(),
)
def test_whatever_a_run_asks_for_each_case_of_each_shard_has_one_verdict(
    rows, policy, shards, targets, flaky, hides, data
):
    suite = suite_of(rows)
    verdicts: Counter[tuple[str, str]] = Counter()
    for index in range(1, shards + 1):
        fleet = Fleet()
        for name in ("w1", "w2"):
            fleet.join(name, 3, session=f"s-{name}")
        own = replace(policy, shard_index=index, shard_count=shards)
        fleet.submit(policy=own, targets=("a", "b")[:targets], request=Request(slots_max=4 - targets))
        execute(fleet, suite, data, flaky=flaky, hides=hides)
        if shards == 1:
            check_together(fleet, policy.grouping)
        assert as_known(replayed(fleet)) == as_known(fleet.state)
        for event in fleet.of(e.CasesFinished):
            group = fleet.state.groups[event.group_id]
            verdicts.update((group.target.name, group.case_id(case.case_index)) for case in event.cases)
    if not hides:
        assert verdicts == Counter((target, case.case_id) for target in ("a", "b")[:targets] for case in suite.cases)
    assert set(verdicts.values()) <= {1} or hides
