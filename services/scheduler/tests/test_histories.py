"""What holds through whatever a fleet goes through: work comes and ends, workers come and go, plans are taken, refused or lost."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from crossfleet.matching.check import check
from crossfleet.matching.free import Free
from crossfleet.matching.model import Request, WorkerState, WorkerView
from crossfleet.matching.selectors import Selectors
from crossfleet.scheduler.core.model import Allocation, Delta, Plan, Policy, Proposal
from crossfleet.scheduler.core.planner import Planner
from crossfleet.scheduler.core.session import Outcome, Session
from crossfleet.scheduler.core.snapshot import Snapshot
from services.scheduler.tests.loads import NAMES, changed, deltas, snapshots

policies = st.builds(
    Policy,
    reservations=st.sampled_from([0, 2]),
    patience_seconds=st.sampled_from([1.0, 1800.0]),
    preemption_gap=st.sampled_from([0, 1]),
    preemption_ratio=st.sampled_from([0.0, 1.5]),
)
fates = st.sampled_from(["taken", "taken", "taken", "refused", "halved", "unheard"])
steps = st.lists(st.tuples(deltas, fates, st.sampled_from([0.0, 0.5, 30.0])), max_size=6)


@dataclass
class Fleet:
    """The truth, and two sessions that hear all of it: they must say the same."""

    rows: Delta
    policy: Policy
    now: float = 0.0
    revision: int = 1
    unanswered: list[Proposal] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.selectors = Selectors()
        self.sessions = [Session(self.policy, Selectors()) for _ in range(2)]
        for session in self.sessions:
            session.replace(self.rows, self.revision)

    def hears(self, delta: Delta) -> None:
        """Something changes."""
        self.rows, self.revision = changed(delta, self.rows), self.revision + 1
        for session in self.sessions:
            session.update(delta, self.revision)

    def plans(self) -> tuple[str, Plan]:
        """The plan of both."""
        (plan_id, plan), other = (session.plan(self.now) for session in self.sessions)
        assert other == (plan_id, plan)
        return plan_id, plan

    def answered(self, plan_id: str, plan: Plan, refused: tuple[int, ...]) -> None:
        """All but some of a plan is committed, and told together with the outcome."""
        wanted = {one.id: one for one in self.rows.groups}
        made = []
        for index, one in enumerate(plan.allocate):
            if index not in refused:
                made.append(
                    Allocation(
                        f"{plan_id}.{index}",
                        one.group_id,
                        one.worker_id,
                        one.slots,
                        one.device_ids,
                        portions=one.portions,
                    )
                )
                self._keep_a_promise(one)
                group = wanted[one.group_id]
                wanted[one.group_id] = replace(group, wanted_slots=max(group.wanted_slots - one.slots, 0))
        groups = tuple(wanted[one] for one in {each.group_id: None for each in made})
        self.hears(Delta(groups=groups, allocations=tuple(made), removed_allocations=plan.revoke))
        for session in self.sessions:
            session.answer(Outcome(plan_id, refused), self.now)

    def _keep_a_promise(self, made: Proposal) -> None:
        """An allocation settles what was proposed before for the same group and worker, as no more comes of it."""
        for one in self.unanswered:
            if (one.group_id, one.worker_id) == (made.group_id, made.worker_id):
                self.unanswered.remove(one)
                return

    def free(self) -> dict[str, Free]:
        """What nobody holds, and nobody was promised."""
        held: list[Allocation | Proposal] = [*self.rows.allocations, *self.unanswered]
        groups = {one.id: one for one in self.rows.groups}
        found = {one.name: Free.whole(one) for one in self.rows.workers}
        for one in held:
            for worker in [each for each in self.rows.workers if each.name == one.worker_id]:
                request = groups[one.group_id].request if one.group_id in groups else Request()
                found[worker.name] = found[worker.name].minus(request, one.slots, one.device_ids, worker, one.portions)
        return {one.name: self._beside(one, found) for one in self.rows.workers}

    def _beside(self, worker: WorkerView, alone: dict[str, Free]) -> Free:
        free = alone[worker.name]
        for other in self.rows.workers:
            if worker.host and other.host == worker.host and other.name != worker.name:
                free = free.beside([alone[other.name]]).less_shown(alone[other.name], other)
        return free


def judge(fleet: Fleet, plan: Plan) -> None:
    """By what is true now."""
    workers, groups = {one.name: one for one in fleet.rows.workers}, {one.id: one for one in fleet.rows.groups}
    free, got = fleet.free(), Counter[str]()
    promised = Counter[str]()
    for proposal in fleet.unanswered:
        promised[proposal.group_id] += proposal.slots
    for one in plan.allocate:
        worker, group = workers[one.worker_id], groups[one.group_id]
        assert worker.state is WorkerState.READY
        found = check(group.request, worker, free[worker.name], one.slots, one.device_ids, fleet.selectors)
        assert isinstance(found, tuple), found
        free[worker.name] = free[worker.name].minus(group.request, one.slots, one.device_ids, worker, one.portions)
        got[group.id] += one.slots
    for group_id, slots in got.items():
        gang = groups[group_id].request.gang
        if gang > 1:
            mine = [one for one in plan.allocate if one.group_id == group_id]
            assert len({one.worker_id for one in mine}) == gang
            assert {(one.slots, one.gang) for one in mine} == {(groups[group_id].request.slots_min, group_id)}
        else:
            assert slots + promised[group_id] <= groups[group_id].wanted_slots


def judge_what_is_taken(fleet: Fleet, plan: Plan) -> None:
    """Only from who is less urgent than somebody who waits, or from another project that is not more urgent."""
    groups, held = {one.id: one for one in fleet.rows.groups}, {one.id: one for one in fleet.rows.allocations}
    got = Counter[str]()
    for one in plan.allocate:
        got[one.group_id] += one.slots
    waiting = [one for one in groups.values() if one.wanted_slots > got[one.id]]
    policy = fleet.policy
    for taken in (groups[held[one].group_id] for one in plan.revoke):
        downwards = policy.preemption_gap and any(
            one.priority - taken.priority >= policy.preemption_gap for one in waiting
        )
        sideways = policy.preemption_ratio and any(
            one.project != taken.project and one.priority >= taken.priority for one in waiting
        )
        assert downwards or sideways


@settings(max_examples=200)
@given(snapshots, policies, steps)
def test_no_plan_oversubscribes_breaks_a_constraint_or_a_gang_or_takes_from_who_is_as_urgent(rows, policy, steps):
    fleet = Fleet(rows, policy)
    for delta, fate, seconds in steps:
        fleet.now += seconds
        if seconds >= policy.pending_seconds:
            fleet.unanswered.clear()
        plan_id, plan = fleet.plans()
        assert plan.base_revision == fleet.revision
        judge(fleet, plan)
        judge_what_is_taken(fleet, plan)
        refused = {"refused": range(len(plan.allocate)), "halved": range(0, len(plan.allocate), 2)}.get(fate, ())
        if fate == "unheard":
            fleet.unanswered += plan.allocate
        else:
            fleet.answered(plan_id, plan, tuple(refused))
        # What was promised is told of before anything else may happen to it: a coordinator answers, or the stream is lost.
        fleet.hears(replace(delta, allocations=()))


refusals = st.dictionaries(
    st.sampled_from([f"g{n}" for n in range(6)]), st.frozensets(st.sampled_from(NAMES), max_size=2), max_size=2
)


@settings(max_examples=150)
@given(snapshots, policies, st.lists(st.tuples(deltas, st.booleans(), refusals), max_size=5), st.booleans())
def test_after_each_change_a_planner_that_remembers_decides_as_one_that_sees_the_same_rows_first(
    rows, policy, changes, preempt
):
    selectors, now = Selectors(), 0.0
    fed, planner = Snapshot.of(rows, 1), Planner(policy, selectors)
    for revision, (delta, adopted, refused) in enumerate(changes, start=2):
        fresh = Snapshot.of(rows, fed.revision)
        fresh.revoked.update(fed.revoked)
        found = planner.plan(fed, now, refused, preempt=preempt)
        again = Planner(policy, selectors).plan(fresh, now, refused, preempt=preempt)
        assert (found.allocate, found.revoke, found.short) == (again.allocate, again.revoke, again.short)
        fed.revoked.update(found.revoke)
        if adopted:
            made = tuple(
                Allocation(
                    f"b{revision}-{at}", one.group_id, one.worker_id, one.slots, one.device_ids, portions=one.portions
                )
                for at, one in enumerate(found.allocate)
            )
            fed.apply(Delta(allocations=made), revision)
            rows = changed(Delta(allocations=made), rows)
        fed.apply(delta, revision)
        rows = changed(delta, rows)
        now += 2.0
