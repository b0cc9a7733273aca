"""A fleet round the machine: workers that do what they are told, a scheduler that gives everybody what is free."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.cases import CollectedCase
from crossfleet.coordinator.core.emitter import Rejection
from crossfleet.coordinator.core.machine import apply
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.outcomes import Cause, Outcome, WorkerState
from crossfleet.coordinator.core.view import free_of, open_groups
from crossfleet.matching.fit import fit
from crossfleet.matching.free import Fit
from crossfleet.matching.model import Request, WorkerView
from crossfleet.matching.template import Past, offer
from services.coordinator.tests.core.invariants import check


def _need(name):
    if isinstance(name, c.Need):
        return name
    return c.Need(name.removesuffix("?"), passed=not name.endswith("?"))


def _asking(target, template):
    """As a submission makes it: what is stored as its request takes the most that the template ever does."""
    if template is None:
        return target
    first = range(len(template.alternatives))[: 1 if template.one_by_one else None]
    request = offer(template, target.request, first, Past())
    return replace(target, selector=request.selector, request=request, template=template)


@dataclass
class Fleet:
    """Keeps the state, the clock, and every fact that was emitted."""

    state: State = field(default_factory=State)
    now: float = 1_000.0
    events: list[e.Event] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)

    def do(self, command: c.Command):
        """Apply one command; answers its answer, or the rejection."""
        self.now += 0.01
        applied = apply(self.state, command, self.now)
        check(self.state)
        if isinstance(applied, Rejection):
            self.rejections.append(applied)
            return applied
        self.events += applied.events
        return applied.answer

    def of(self, kind):
        """Facts of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    def submit(
        self,
        run_id="run",
        cases=(),
        *,
        targets=("default",),
        policy=None,
        runner="pytest",
        request=None,
        needs=None,
        templates=None,
        definition="",
        **more,
    ):
        """`needs`: by target, names of those that it needs; `name?` where it is enough that it has ended. `templates`: by target."""
        needed = {name: tuple(_need(one) for one in (needs or {}).get(name, ())) for name in targets}
        specs = tuple(
            _asking(
                c.TargetSpec(name, "", request or Request(), needed[name], definition=definition),
                (templates or {}).get(name),
            )
            for name in targets
        )
        values = {
            "request_id": f"request-{run_id}",
            "fingerprint": "f",
            "project": "p",
            "suite": "s",
            "priority": 0,
            "seed": 1,
            "spec": b"spec",
            "estimates": (),
            **more,
        }
        return self.do(
            c.SubmitRun(
                run_id=run_id,
                runner=runner,
                targets=specs,
                policy=policy or c.PolicySpec(),
                cases=tuple(cases),
                **values,
            )
        )

    def join(
        self,
        name="w1",
        slots=2,
        *,
        incarnation="i1",
        session="s1",
        held=(),
        runners=("pytest",),
        gives_back_slots=True,
        **view,
    ):
        whole = WorkerView(name, cpu_cores=float(slots), slots_total=slots, runners=frozenset(runners), **view)
        able = {"gives_back_slots": gives_back_slots}
        return self.do(c.WorkerHello(name, incarnation, session, whole, tuple(runners), b"", tuple(held), **able))

    def place(self):
        """Give every group what is free, in order; answers the ids of the new allocations."""
        proposals = []
        free = {worker.worker_id: free_of(self.state, worker) for worker in self.state.workers.values()}
        for group in open_groups(self.state):
            wanted = group.wanted_slots
            workers = sorted(self.state.workers.values(), key=lambda one: (one.worker_id in group.avoid, one.worker_id))
            for worker in workers:
                if not wanted or worker.state is not WorkerState.READY:
                    continue
                found = fit(group.request, worker.view, free[worker.worker_id], self.state.selectors, most=wanted)
                if isinstance(found, Fit):
                    ids = found.device_ids
                    proposals.append(c.ProposedAllocation(group.group_id, worker.worker_id, found.slots, ids))
                    left = free[worker.worker_id].minus(group.request, found.slots, ids, worker.view, found.taken)
                    free[worker.worker_id] = left
                    wanted -= found.slots
        return self.do(c.ApplyPlan("plan", tuple(proposals))).accepted if proposals else ()

    def collect(self, allocation_id, ids, *, digest="d1", errors=(), estimates=(), groups=None, **more):
        worker = self.state.allocations[allocation_id].worker_id
        cases = tuple(CollectedCase(one, groups(one) if groups else (one.partition("::")[0],)) for one in ids)
        return self.do(
            c.RecordCollection(worker, allocation_id, digest, cases, tuple(estimates), tuple(errors), **more)
        )

    def live(self, worker_id=None):
        """Live attempts, in the order of assignment."""
        attempts = list(self.state.attempts.values())
        return [one for one in attempts if worker_id in {None, one.worker_id}]

    def results(self, attempt, outcome=Outcome.PASSED, seconds=0.01, indices=None, message=""):
        indices = attempt.cases if indices is None else indices
        local_of = self.state.allocations[attempt.allocation_id].local_of
        local = [index if local_of is None else local_of[index] for index in indices]
        return c.AttemptResults(
            attempt.attempt_id,
            tuple(c.CaseOutcome(index, outcome, seconds, message, payload=b"full") for index in local),
        )

    def report(self, worker_id, *items):
        worker = self.state.workers[worker_id]
        return self.do(c.WorkerReport(worker_id, worker.incarnation, tuple(items)))

    def finish(self, attempt, cause=Cause.DONE, outcome=Outcome.PASSED, indices=None, message=""):
        """The attempt's worker reports results (of `indices`, or all cases) and its end."""
        return self.report(
            attempt.worker_id,
            self.results(attempt, outcome, indices=indices),
            c.AttemptFinished(attempt.attempt_id, cause, message),
        )

    def let_go(self):
        """Workers have ended the slots that they were told to."""
        for allocation in list(self.state.allocations.values()):
            if allocation.leaving:
                self.do(c.SlotsClosed(allocation.worker_id, allocation.allocation_id, tuple(allocation.leaving)))

    def close_what_is_closing(self):
        for allocation in list(self.state.allocations.values()):
            if allocation.closing and not allocation.live:
                self.report(allocation.worker_id, c.AllocationEnded(allocation.allocation_id, Cause.DONE))

    def work(self, rounds=10_000):
        """Run everything to its end: place, collect nothing new, pass all cases, give back."""
        for _ in range(rounds):
            self.place()
            live = self.live()
            if not live and not self.state.allocations:
                return
            for attempt in live:
                if attempt.attempt_id in self.state.attempts:
                    self.finish(attempt)
                    slot = c.WantTasks(attempt.worker_id, attempt.allocation_id, (attempt.slot,))
                    self.do(slot)
            self.close_what_is_closing()
        raise AssertionError("the work never ended")
