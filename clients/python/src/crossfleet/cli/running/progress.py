"""How far a run is, drawn from its events. Pure: time comes in as a number."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from crossfleet.api.coordinator.v1 import event_service_pb2 as wire
from crossfleet.api.types.v1 import result_pb2, run_pb2
from crossfleet.foundation.words import word

BAD = frozenset(
    (
        result_pb2.OUTCOME_FAILED,
        result_pb2.OUTCOME_ERROR,
        result_pb2.OUTCOME_CRASHED,
        result_pb2.OUTCOME_TIMED_OUT,
    )
)
"""Outcomes of a case that make its run fail."""


@dataclass(frozen=True, slots=True)
class Executing:
    """A case that has been running for a while: where, and since when (seconds since 1970)."""

    target: str
    case_id: str
    worker_id: str
    slot: int
    attempt_id: int
    since: float


@dataclass(slots=True)
class TargetProgress:
    """One target: cases known, with a verdict, failed; why it waits. `total` is zero until it is known."""

    name: str
    total: int = 0
    done: int = 0
    failed: int = 0
    flaky: int = 0
    waiting: str = ""
    finished: bool = False
    cause: str = ""
    skipped: bool = False
    first_at: float | None = None
    last_at: float = 0.0
    allocations: set[str] = field(default_factory=set)

    @property
    def ended(self) -> str:
        """How it ended, in a few words."""
        if self.skipped:
            return "skipped"
        return "ended before its time" if self.cause else "done"

    def rate(self, now: float) -> float:
        """Cases a second since the first slot was given."""
        end = self.last_at if self.finished else now
        span = end - self.first_at if self.first_at is not None else 0.0
        return self.done / span if span > 0 else 0.0

    def seconds_left(self, now: float) -> float | None:
        """Rough seconds to the end at the present rate; None while less than a fiftieth is done and nothing can be said."""
        rate = self.rate(now)
        return (self.total - self.done) / rate if rate and self.done * 50 >= self.total else None


class Progress:
    """All targets of a run. `take` answers the cases to which an event brought a verdict.

    `case_limited`: a case that hangs will be ended by a time limit.
    """

    def __init__(self, names: Iterable[str], *, case_limited: bool = False) -> None:
        self.case_limited = case_limited
        self._executing: dict[str, list[Executing]] = {}
        self.targets = {name: TargetProgress(name) for name in names}
        self.run: run_pb2.Run | None = None
        self.stopping = ""
        self.notes: list[str] = []
        self.deciders: list[str] = []
        """Changes of the scheduler that decides, in words."""
        self.turns: list[str] = []
        """Alternatives that came in, in words."""
        self._alternatives: dict[str, list[str]] = {}

    def take(self, event: wire.Event) -> list[result_pb2.CaseRecord]:
        """Notes an event; kinds that it does not know change nothing."""
        kind = event.WhichOneof("kind")
        at = event.at.ToNanoseconds() / 1e9
        handler = getattr(self, f"_on_{kind}", None) if kind else None
        return handler(getattr(event, str(kind)), at) or [] if handler else []

    def mark(self, case: result_pb2.CaseRecord | Executing) -> str:
        """` [gpu]` where the run has several targets, else nothing."""
        return f" [{case.target}]" if len(self.targets) > 1 else ""

    @classmethod
    def of(cls, run: run_pb2.Run) -> Progress:
        """The progress of a run of which no event was taken yet."""
        policy = run.spec.policy
        limit = policy.case_timeout
        names = (target.name for target in run.targets or run.spec.targets)
        made = cls(names, case_limited=bool(limit.seconds or limit.nanos or policy.learnt_case_timeout))
        made._alternatives = {one.name: [each.selector for each in one.alternatives] for one in run.spec.targets}
        return made

    def longest(self) -> Executing | None:
        """The case that has run longest, of those that have run for more than a second."""
        every = (each for cases in self._executing.values() for each in cases)
        return min(every, key=lambda each: each.since, default=None)

    def _drop(self, over: Callable[[Executing], bool]) -> None:
        for worker, cases in list(self._executing.items()):
            self._executing[worker] = [each for each in cases if not over(each)]

    def _target(self, name: str) -> TargetProgress:
        return self.targets.setdefault(name, TargetProgress(name))

    def _on_cases_collected(self, fact: wire.CasesCollected, at: float) -> None:
        self._target(fact.target).total = fact.cases

    def _on_target_waiting(self, fact: wire.TargetWaiting, at: float) -> None:
        target = self._target(fact.target)
        # One that has slots may want more; only one that has none waits in the eyes of a person.
        target.waiting = "" if target.allocations else fact.reason

    def _on_alternative_opened(self, fact: wire.AlternativeOpened, at: float) -> None:
        known = self._alternatives.get(fact.target, [])
        what = known[fact.number - 1] if fact.number <= len(known) else ""
        self.turns.append(f"{fact.target}: alternative {fact.number} counts from now on: {what or 'any worker'}")

    def _on_allocation_opened(self, fact: wire.AllocationOpened, at: float) -> None:
        target = self._target(fact.target)
        target.allocations.add(fact.allocation_id)
        target.waiting = ""

    def _on_allocation_closed(self, fact: wire.AllocationClosed, at: float) -> None:
        self._target(fact.target).allocations.discard(fact.allocation_id)

    def _on_tasks_assigned(self, fact: wire.TasksAssigned, at: float) -> None:
        target = self._target(fact.target)
        target.first_at = at if target.first_at is None else target.first_at

    def _on_attempt_ended(self, fact: wire.AttemptEnded, at: float) -> None:
        attempt = fact.attempt
        self._drop(lambda each: each.attempt_id == attempt.attempt_id)
        if attempt.cause not in (result_pb2.CAUSE_DONE, result_pb2.CAUSE_CRASHED, result_pb2.CAUSE_CANCELLED):
            cause = word(result_pb2.Cause, attempt.cause).replace("_", " ")
            self.notes.append(f"attempt {attempt.attempt_id} on {attempt.worker_id}: {cause}. {fact.message}".rstrip())

    def _on_case_copied(self, fact: wire.CaseCopied, at: float) -> None:
        where = f"target {fact.target}: " if len(self.targets) > 1 else ""
        lasting = f"{where}{fact.case_id} has lasted {fact.running_seconds:.0f} s, much longer than expected"
        self.notes.append(f"{lasting}: executed a second time, on {fact.attempt.worker_id}")

    def _on_cases_finished(self, fact: wire.CasesFinished, at: float) -> list[result_pb2.CaseRecord]:
        target = self._target(fact.target)
        target.first_at = at if target.first_at is None else target.first_at
        target.done += len(fact.cases)
        target.total = max(target.total, target.done)
        target.last_at = at
        if any(self._executing.values()):
            over = {case.case_id for case in fact.cases}
            self._drop(lambda each: each.target == fact.target and each.case_id in over)
        target.failed += sum(case.outcome in BAD for case in fact.cases)
        target.flaky += sum(case.outcome == result_pb2.OUTCOME_FLAKY for case in fact.cases)
        return list(fact.cases)

    def _on_target_finished(self, fact: wire.TargetFinished, at: float) -> None:
        status = fact.target
        target = self._target(status.name)
        target.finished, target.cause, target.waiting = True, status.cause, ""
        target.skipped = status.state == run_pb2.TARGET_STATE_SKIPPED
        target.total = target.done = status.counts.total
        target.failed = status.counts.failed + status.counts.errors + status.counts.crashed + status.counts.timed_out
        target.flaky = status.counts.flaky
        target.last_at = at
        self._drop(lambda each: each.target == status.name)

    def _on_cases_executing(self, fact: wire.CasesExecuting, at: float) -> None:
        self._executing[fact.worker_id] = [
            Executing(case.target, case.case_id, fact.worker_id, case.slot, case.attempt_id, at - case.seconds)
            for case in fact.cases
        ]

    def _on_scheduler_changed(self, fact: wire.SchedulerChanged, at: float) -> None:
        where = f"target {fact.target}: " if len(self.targets) > 1 else ""
        told = f"under the fallback: {fact.cause}" if fact.fallback else f"scheduler {fact.scheduler} decides again"
        self.deciders.append(where + told)

    def _on_run_stopping(self, fact: wire.RunStopping, at: float) -> None:
        self.stopping = fact.cause

    def _on_run_finished(self, fact: wire.RunFinished, at: float) -> None:
        self.run = fact.run

    def _on_worker_changed(self, fact: wire.WorkerChanged, at: float) -> None:
        if fact.device_id:
            stage = fact.health.removeprefix("HEALTH_STAGE_").lower()
            self.notes.append(f"device {fact.device_id} of {fact.worker_id} is {stage}. {fact.cause}".rstrip())
        elif fact.state != "WORKER_STATE_READY" and not fact.has_left:
            state = fact.state.removeprefix("WORKER_STATE_").lower()
            self.notes.append(f"worker {fact.worker_id} is {state}. {fact.cause}".rstrip())
