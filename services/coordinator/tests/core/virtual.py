"""A fleet in virtual time round the machine: slots execute cases for as long as these truly last, and everybody gets what is free."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.cases import CollectedCase
from crossfleet.coordinator.core.emitter import Rejection
from crossfleet.coordinator.core.last_cases import SlotsGivenBack
from crossfleet.coordinator.core.machine import apply
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.outcomes import Cause, Outcome
from crossfleet.coordinator.core.view import free_of, open_groups
from crossfleet.matching.fit import fit
from crossfleet.matching.free import Fit
from crossfleet.matching.model import Request, WorkerView

_DELAY = 0.002
_AHEAD = 2
# After these somebody may be placed.
_MOVING = (e.RunSubmitted, e.CasesCollected, e.AllocationClosed, SlotsGivenBack)


class Suite:
    """A run to come: what its cases truly last, by their ids, and what the coordinator takes them for (0.0: unknown)."""

    def __init__(self, name: str, seconds: Mapping[str, float], estimates: Sequence[float], setup: float) -> None:
        self.name, self.setup = name, setup
        self.ids, self.seconds = tuple(seconds), tuple(seconds.values())
        self.estimates = tuple(estimates) if any(estimates) else ()


class _Slot:
    """Executes its tasks one after the other, and asks for the next one while it has little."""

    def __init__(self, fleet: VirtualFleet, allocation: str, worker: str, number: int, suite: Suite) -> None:
        self._fleet, self._allocation, self._worker, self._number = fleet, allocation, worker, number
        self._suite = suite
        self._tasks: deque[tuple[int, deque[int]]] = deque()
        self._busy = False

    def give(self, task: e.AssignedTask) -> None:
        self._tasks.append((task.attempt_id, deque(task.case_indices)))
        self._pump()

    def _pump(self) -> None:
        if not self._busy and self._tasks:
            self._busy = True
            self._fleet.after(self._suite.seconds[self._tasks[0][1][0]] / self._fleet.speeds[self._worker], self._done)
        if len(self._tasks) < _AHEAD and sum(len(cases) for _, cases in self._tasks) <= 1:
            self._fleet.tell(c.WantTasks(self._worker, self._allocation, (self._number,)))

    def _done(self) -> None:
        attempt, cases = self._tasks[0]
        case, self._busy = cases.popleft(), False
        seconds = self._suite.seconds[case] / self._fleet.speeds[self._worker]
        items: list[c.AttemptResults | c.AttemptFinished] = [
            c.AttemptResults(attempt, (c.CaseOutcome(case, Outcome.PASSED, seconds),))
        ]
        if not cases:
            self._tasks.popleft()
            items.append(c.AttemptFinished(attempt, Cause.DONE))
        self._fleet.tell(c.WorkerReport(self._worker, self._worker, tuple(items)))
        self._pump()


class VirtualFleet:
    """Keeps the state and the clock. `begun` and `ended` say when each run had its first slots, and its end."""

    def __init__(self, slots: Sequence[int], speeds: Sequence[float] = ()) -> None:
        """Workers with so many slots, of these speeds (1.0)."""
        self.state, self.now = State(), 1_000.0
        self.begun: dict[str, float] = {}
        self.ended: dict[str, float] = {}
        self.speeds: dict[str, float] = {}
        self._suites: dict[str, Suite] = {}
        self._slots: dict[tuple[str, int], _Slot] = {}
        self._order = itertools.count()
        self._agenda: list[tuple[float, int, Callable[..., None], tuple[object, ...]]] = []
        for number, count in enumerate(slots):
            name = f"w{number}"
            self.speeds[name] = speeds[number] if speeds else 1.0
            view = WorkerView(name, cpu_cores=float(count), slots_total=count, runners=frozenset({"pytest"}))
            self._apply(c.WorkerHello(name, name, name, view, ("pytest",), b"", gives_back_slots=True))
        self.after(0.5, self._pass_time)

    def after(self, seconds: float, call: Callable[..., None], *arguments: object) -> None:
        """Do something so much later."""
        heapq.heappush(self._agenda, (self.now + seconds, next(self._order), call, arguments))

    def tell(self, command: c.Command) -> None:
        """A message of a worker, a moment later."""
        self.after(_DELAY, self._apply, command)

    def submit(self, run_id: str, suite: Suite, *, priority: int = 0, project: str = "p") -> None:
        """A run of a suite, collected by its first allocation."""
        self._suites[run_id] = suite
        target = c.TargetSpec("default", "", Request())
        spec = (run_id, "f", run_id, project, suite.name, "pytest", priority, (target,), c.PolicySpec(), 1, b"")
        self._apply(c.SubmitRun(*spec))

    def play(self, until: float = float("inf"), *, while_open: bool = False) -> None:
        """Go on to a moment, or with `while_open` until all runs are over."""
        while self._agenda and self._agenda[0][0] <= until:
            if while_open and len(self.ended) == len(self._suites):
                return
            self.now, _, call, arguments = heapq.heappop(self._agenda)
            call(*arguments)
        self.now = max(self.now, until) if until < float("inf") else self.now

    def _pass_time(self) -> None:
        self._apply(c.PassTime())
        self.after(0.5, self._pass_time)

    def _apply(self, command: c.Command) -> None:
        applied = apply(self.state, command, self.now)
        assert not isinstance(applied, Rejection), applied
        for event in applied.events:
            self._heed(event)
        if isinstance(command, c.PassTime) or any(isinstance(event, _MOVING) for event in applied.events):
            self._place()

    def _heed(self, event: e.Event) -> None:
        match event:
            case e.AllocationOpened():
                self.begun.setdefault(event.run_id, event.at)
                suite = self._suites[event.run_id]
                for number in event.slots:
                    at = event.allocation_id, number
                    self._slots[at] = _Slot(self, event.allocation_id, event.worker_id, number, suite)
                cases = tuple(CollectedCase(one, (one.partition("::")[0],)) for one in suite.ids)
                collected = c.RecordCollection(event.worker_id, event.allocation_id, "d", cases, suite.estimates)
                self.after(suite.setup, self._apply, collected)
            case e.TasksAssigned():
                for task in event.tasks:
                    self.after(_DELAY, self._slots[event.allocation_id, task.slot].give, task)
            case SlotsGivenBack(gone=False):
                self.tell(c.SlotsClosed(event.worker_id, event.allocation_id, event.slots))
            case e.GroupFinished():
                self.ended[event.run_id] = event.at
            case _:
                pass
        if isinstance(event, (e.AllocationClosing, e.AttemptEnded, e.GroupFinished)):
            self._close_what_is_done()

    def _close_what_is_done(self) -> None:
        for one in self.state.allocations.values():
            if one.closing and not one.live:
                ended = c.WorkerReport(
                    one.worker_id, one.worker_id, (c.AllocationEnded(one.allocation_id, Cause.DONE),)
                )
                self.tell(ended)

    def _place(self) -> None:
        proposals = []
        free = {one.worker_id: free_of(self.state, one) for one in self.state.workers.values()}
        for group in sorted(open_groups(self.state), key=lambda one: (-one.priority, one.submitted_at, one.group_id)):
            wanted = group.wanted_slots
            for worker in self.state.workers.values():
                if not wanted:
                    break
                found = fit(group.request, worker.view, free[worker.worker_id], self.state.selectors, most=wanted)
                if isinstance(found, Fit):
                    proposals.append(c.ProposedAllocation(group.group_id, worker.worker_id, found.slots))
                    free[worker.worker_id] = free[worker.worker_id].minus(
                        group.request, found.slots, (), worker.view, ()
                    )
                    wanted -= found.slots
        if proposals:
            self._apply(c.ApplyPlan("plan", tuple(proposals)))
