"""crossfleet's own state machine with its dispatcher, and slots that exist in virtual time: each does what the shim's does."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from benchmarks.makespan.outcome import Outcome
from benchmarks.makespan.recording import Process, Recording
from benchmarks.makespan.timeline import Timeline
from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.cases import CollectedCase
from crossfleet.coordinator.core.emitter import Rejection
from crossfleet.coordinator.core.machine import apply
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.outcomes import Cause
from crossfleet.coordinator.core.outcomes import Outcome as Verdict
from crossfleet.matching.model import Request, WorkerView

_AHEAD = 0.02
"""As the shim's: what follows is wanted so many seconds before a slot would run dry."""
_FORK = 0.01
"""What the birth of a slot's next process takes where it was told that nothing follows, and then something did."""
_DIGEST = "d"


class Slot:
    """One process after the other. Each holds its last case back until it knows what follows."""

    def __init__(self, side: Side, worker: str, allocation: str, number: int, speed: float) -> None:
        self._side, self._worker, self._allocation, self._number = side, worker, allocation, number
        self._speed = speed
        self._attempts: deque[tuple[int, deque[int]]] = deque()
        self._later: list[e.AssignedTask | None] = []
        self._last = self._busy = False
        self._asked = True
        self._process: Process | None = None
        self._begun, self._count = 0.0, 0
        self.set_ups = 0
        self.processes = 0

    def give(self, task: e.AssignedTask | None) -> None:
        """A task; None: nothing follows."""
        if self._last:
            self._later.append(task)
        elif task is None:
            self._last = self._process is not None or bool(self._attempts)
        else:
            self._attempts.append((task.attempt_id, deque(task.case_indices)))
            self._last = task.last
            self._asked = False
            self._ask()
        self._pump()

    def _ask(self) -> None:
        if self._asked or self._last or len(self._attempts) > 2:
            return
        pending = sum(len(cases) for _, cases in self._attempts)
        pace = (self._side.timeline.now - self._begun) / self._count if self._count else _AHEAD
        if pending <= 2 or pending * pace < _AHEAD:
            self._asked = True
            self._side.hear(c.WantTasks(self._worker, self._allocation, (self._number,)))

    def _pump(self) -> None:
        if self._busy:
            return
        known = [(attempt, case) for attempt, cases in self._attempts for case in list(cases)[:2]][:2]
        if not known:
            if self._last:
                self._end_process()
            return
        if len(known) == 1 and not self._last:
            return
        birth = 0.0
        if self._process is None:
            self._process = Process(self._side.recording)
            self.processes += 1
            birth = _FORK if self.processes > 1 else 0.0
        attempt, case = known[0]
        if not self._count:
            self._begun = self._side.timeline.now + birth
        self._busy = True
        seconds = self._process.execute(case, known[1][1] if len(known) > 1 else None) / self._speed
        self._side.timeline.after(birth + seconds, self._done, attempt, case, seconds)

    def _done(self, attempt: int, case: int, seconds: float) -> None:
        self._busy = False
        self._side.last, self._side.done = self._side.timeline.now, self._side.done + 1
        cases = self._attempts[0][1]
        cases.popleft()
        self._count += 1
        result = c.AttemptResults(attempt, (c.CaseOutcome(case, Verdict.PASSED, seconds),))
        ended = () if cases else (c.AttemptFinished(attempt, Cause.DONE),)
        if not cases:
            self._attempts.popleft()
            self._count = 0
        self._side.hear(c.WorkerReport(self._worker, self._worker, (result, *ended)))
        self._ask()
        self._pump()

    def _end_process(self) -> None:
        if self._process is not None:
            self.set_ups += self._process.set_ups
        self._process = None
        self._last = False
        waiting, self._later = self._later, []
        for task in waiting:
            self.give(task)


class Side:
    """One run on a fleet whose workers have collected; messages take `delay` seconds one way."""

    def __init__(
        self, recording: Recording, speeds: Sequence[Sequence[float]], delay: float, estimates: Sequence[float]
    ) -> None:
        """`speeds` has one list for each worker, of its slots; `estimates` may be empty."""
        self.recording, self.delay = recording, delay
        self.timeline = Timeline()
        self.last, self.done, self.tasks = 0.0, 0, 0
        self._state = State()
        self._slots: dict[tuple[str, int], Slot] = {}
        self._begin(speeds)
        cases = tuple(
            CollectedCase(id, tuple(filter(None, (case.file, case.group))))
            for id, case in zip(recording.ids, recording.cases, strict=True)
        )
        for one in self._state.allocations.values():
            self.hear(c.RecordCollection(one.worker_id, one.allocation_id, _DIGEST, cases, tuple(estimates)))

    def _begin(self, speeds: Sequence[Sequence[float]]) -> None:
        for number, slots in enumerate(speeds):
            name = f"w{number}"
            view = WorkerView(name, cpu_cores=float(len(slots)), slots_total=len(slots), runners=frozenset({"pytest"}))
            self._apply(c.WorkerHello(name, name, name, view, ("pytest",), b""))
        target = c.TargetSpec("default", "", Request())
        self._apply(
            c.SubmitRun("r", "f", "run", "p", self.recording.name, "pytest", 0, (target,), c.PolicySpec(), 1, b"")
        )
        group = "run/default"
        plan = tuple(c.ProposedAllocation(group, f"w{number}", len(slots)) for number, slots in enumerate(speeds))
        self._apply(c.ApplyPlan("plan", plan))
        for number, allocation in enumerate(list(self._state.allocations.values())):
            for place, speed in zip(allocation.slots, speeds[number], strict=True):
                slot = Slot(self, allocation.worker_id, allocation.allocation_id, place, speed)
                self._slots[allocation.allocation_id, place] = slot

    def run(self) -> Outcome:
        """Everything, from complete collections on."""
        self.timeline.after(0.5, self._pass_time)
        self.timeline.run()
        assert self.done == len(self.recording.cases), f"{self.done} of {len(self.recording.cases)} cases were executed"
        return Outcome(self.last - 2 * self.delay, sum(slot.set_ups for slot in self._slots.values()))

    def hear(self, command: c.Command) -> None:
        """A message of a worker, a moment later."""
        self.timeline.after(self.delay, self._apply, command)

    def _pass_time(self) -> None:
        if self.done < len(self.recording.cases):
            self._apply(c.PassTime())
            self.timeline.after(0.5, self._pass_time)

    def _apply(self, command: c.Command) -> None:
        applied = apply(self._state, command, self.timeline.now)
        assert not isinstance(applied, Rejection), applied
        for event in applied.events:
            if isinstance(event, e.TasksAssigned):
                for task in event.tasks:
                    self.tasks += 1
                    self.timeline.after(self.delay, self._slots[event.allocation_id, task.slot].give, task)
            elif isinstance(event, e.SlotsReleased):
                for number in event.slots:
                    self.timeline.after(self.delay, self._slots[event.allocation_id, number].give, None)


def replay(
    recording: Recording, speeds: Sequence[Sequence[float]], delay: float, estimates: Sequence[float] | None = None
) -> tuple[Outcome, int]:
    """One suite on workers with slots of these speeds, and how many tasks it was cut into. `estimates`: what the recording
    says where they are not given; empty: nothing is known."""
    side = Side(recording, speeds, delay, recording.known if estimates is None else estimates)
    return side.run(), side.tasks
