"""What can be asked of the state machine. Each is plain data; the servicers make them, the machine judges them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from crossfleet.coordinator.core.artifact import AttachArtifacts
from crossfleet.coordinator.core.cases import CollectedCase
from crossfleet.coordinator.core.deciders import ChangeDecider
from crossfleet.coordinator.core.grouping import Grouping
from crossfleet.coordinator.core.health import CareForHosts
from crossfleet.coordinator.core.outcomes import Cause, Ending, Outcome, RerunPlacement
from crossfleet.coordinator.core.override import OverrideDevice
from crossfleet.coordinator.core.priority_class import PriorityClass, RemovePriorityClass, SetPriorityClass
from crossfleet.coordinator.core.quota import RemoveQuota, SetQuota
from crossfleet.coordinator.core.reservation import CancelReservation, MakeReservation
from crossfleet.coordinator.core.schedule import CreateSchedule, DeleteSchedule, PauseSchedule, TimesCame
from crossfleet.coordinator.core.semaphore import RemoveSemaphore, SetSemaphore
from crossfleet.matching.model import Request, WorkerView
from crossfleet.matching.template import Template


@dataclass(frozen=True, slots=True)
class Need:
    """A target waits until another is over: until it has passed, or with `passed` False however it ends.

    `changed`: it is skipped where that one has produced what it did when the target last passed. What counts are outcomes, and the
    artifacts whose path matches one of the patterns; without patterns all.
    """

    target: str
    passed: bool = True
    changed: bool = False
    artifacts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TargetSpec:
    """One target of the matrix: name, CEL selector ("" matches any worker), what a slot needs, and which targets it needs.

    `suite` is the name of a suite of its own, empty where the target tests the run's; `build` that of the build it tests.
    `template` is what selector and request are made from where they change meanwhile; submitted are those that take the most.
    `devices` says how many devices each slot takes, by class; it counts toward quotas. `ways` says the same of each of its
    alternatives, where it has some; then `devices` are the most that any of them takes. `environment` is a digest of what has
    to be built for it, empty where it is the worker's own or an interpreter that exists. `definition` is one of all that was asked
    for, where the target compares what it needs with earlier runs.
    """

    name: str
    selector: str
    request: Request
    needs: tuple[Need, ...] = ()
    suite: str = ""
    build: str = ""
    template: Template | None = None
    devices: tuple[tuple[str, int], ...] = ()
    environment: str = ""
    ways: tuple[tuple[tuple[str, int], ...], ...] = ()
    definition: str = ""

    @property
    def compares(self) -> bool:
        """Whether it is skipped where nothing has changed."""
        return any(need.changed for need in self.needs)


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """How a run is carried out; seconds and bytes, zero: no limit. `rerun_wait` is for another host, or with `other_model` model."""

    max_failures: int = 0
    case_timeout: float = 0.0
    run_timeout: float = 0.0
    max_cases_per_task: int = 0
    max_attempts: int = 3
    fail_unsatisfiable: bool = True
    unsatisfiable_wait: float = 0.0
    memory_limit: int = 0
    grouping: Grouping = Grouping.NONE
    max_reruns: int = 0
    rerun_placement: RerunPlacement = RerunPlacement.SLOT
    rerun_only: tuple[str, ...] = ()
    rerun_delay: float = 0.0
    fail_on_flaky: bool = False
    shard_index: int = 1
    shard_count: int = 1
    """The run carries out part `shard_index` (from 1) of so many."""
    durations_digest: str = ""
    """The blob of the durations that the client knows."""
    scheduler: str = ""
    """The scheduler that the run asks for, by name."""
    speculate: int = 0
    """How many of a target's cases, in percent, may be executed a second time when they last too long."""
    learnt_timeout: bool = False
    """Whether cases that were measured have time limits of their own."""
    priority_class: PriorityClass | None = None
    """Its class, as it was at the submission."""
    deadline: float = 0.0
    """When the run should have ended, in unix seconds."""
    deadline_in: float = 0.0
    """The same, in seconds from its submission."""
    other_model: bool = False
    rerun_wait: float = 0.0
    unchanged_too: bool = False
    """Whether targets run also where nothing that they need has changed."""

    def due(self, submitted_at: float) -> float:
        """When a run of that time should have ended; infinite where nobody said. In unix seconds."""
        return submitted_at + self.deadline_in if self.deadline_in else self.deadline or math.inf


@dataclass(frozen=True, slots=True)
class SubmitRun:
    """A run is asked for. `fingerprint` is the digest of the spec: the same request_id with another one is refused."""

    request_id: str
    fingerprint: str
    run_id: str
    project: str
    suite: str
    runner: str
    priority: int
    targets: tuple[TargetSpec, ...]
    policy: PolicySpec
    seed: int
    spec: bytes
    """The RunSpec message as the client sent it; opaque to the core."""
    cases: tuple[str, ...] = ()
    """Case ids where the client named them; then nothing is enumerated."""
    estimates: tuple[float, ...] = ()
    """Expected seconds of each case in `cases`, or empty."""
    limits: tuple[float, ...] = ()
    """Learnt time limits of each case in `cases`, 0.0 for none; or empty."""
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class StopRun:
    """A person or a time limit stops a run. Cases without a verdict become CANCELLED at once; late results no longer count."""

    run_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class HeldAllocation:
    """An allocation that a worker's shim still has, with the attempts that it has not finished.

    `slots` are those that were not given back; none: the worker gives no single slots back.
    """

    allocation_id: str
    attempt_ids: tuple[int, ...]
    wanting_slots: tuple[int, ...]
    slots: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkerHello:
    """A worker opened a session. Supersedes its earlier session; allocations that it no longer holds are lost."""

    worker_id: str
    incarnation: str
    session_id: str
    view: WorkerView
    runners: tuple[str, ...]
    description: bytes
    """The Worker message; opaque to the core."""
    held: tuple[HeldAllocation, ...] = ()
    checks_health: bool = False
    """Whether it can test itself."""
    gives_back_slots: bool = False
    """Whether it can give single slots of an allocation back."""


@dataclass(frozen=True, slots=True)
class AttemptsMissing:
    """After a Hello and all that the worker resent, these attempts of held allocations are still unknown there."""

    worker_id: str
    session_id: str
    attempt_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PassTime:
    """Time went by: time limits of runs and the waits of targets that nothing satisfies are looked at."""


@dataclass(frozen=True, slots=True)
class WorkerChanged:
    """A worker's devices, conditions or taints changed within its session."""

    worker_id: str
    session_id: str
    view: WorkerView
    description: bytes


@dataclass(frozen=True, slots=True)
class WorkerSilent:
    """A worker was silent for half its lease: it gets nothing new. Undone by WorkerHeard."""

    worker_id: str
    session_id: str


@dataclass(frozen=True, slots=True)
class WorkerHeard:
    """A suspect worker spoke again."""

    worker_id: str
    session_id: str


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """A worker's lease expired: its allocations and attempts are given up and its cases go elsewhere.

    `blames`: whether it speaks against its host. Of one that no leader has heard since an earlier one ended nothing is known.
    """

    worker_id: str
    reason: str
    blames: bool = True


@dataclass(frozen=True, slots=True)
class WorkerLeft:
    """A worker has ended its session in good order."""

    worker_id: str
    session_id: str


@dataclass(frozen=True, slots=True)
class ForgetWorkers:
    """Workers have been gone for so long that nobody asks for them any more."""

    worker_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DrainWorker:
    """Keep new work away from a worker (or no longer, with drain=False)."""

    worker_id: str
    drain: bool
    reason: str


@dataclass(frozen=True, slots=True)
class WorkerLeaving:
    """A worker is going: it gets nothing new, until another incarnation of it joins."""

    worker_id: str
    session_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class QuarantineWorker:
    """A person doubts a worker: out, and through the tests. As many may be out so as people want."""

    worker_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class HealthChecked:
    """A worker has tested itself, or the device that is named. `report` is one line or a few."""

    worker_id: str
    device_id: str
    request: int
    good: bool
    report: str


@dataclass(frozen=True, slots=True)
class ProposedAllocation:
    """Slots of one worker for a group, as a scheduler proposes it."""

    group_id: str
    worker_id: str
    slots: int
    device_ids: tuple[str, ...] = ()
    gang_id: str = ""


@dataclass(frozen=True, slots=True)
class WaitingReason:
    """Why a group waits; `never` when no worker of the fleet can satisfy it."""

    group_id: str
    never: bool
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class ApplyPlan:
    """A scheduler's plan, judged item by item against the state as it is.

    `unfinished` groups get more slots by its later parts. `feed` are groups that got theirs by earlier ones, and get more work
    now. `in_parts`: only some slots get work at once; the answer says which groups have others.
    """

    plan_id: str
    allocate: tuple[ProposedAllocation, ...] = ()
    revoke: tuple[str, ...] = ()
    waiting: tuple[WaitingReason, ...] = ()
    unfinished: frozenset[str] = frozenset()
    feed: tuple[str, ...] = ()
    in_parts: bool = False


@dataclass(frozen=True, slots=True)
class CollectionError:
    """Something that could not be collected, or (`outcome` SKIPPED) skipped itself; payload is the CaseResult, opaque."""

    case_id: str
    message: str
    payload: bytes = b""
    outcome: Outcome = Outcome.ERROR


@dataclass(frozen=True, slots=True)
class RecordCollection:
    """A worker enumerated a target's cases. Estimates are expected seconds of each, or empty when nothing is known."""

    worker_id: str
    allocation_id: str
    digest: str
    cases: tuple[CollectedCase, ...]
    estimates: tuple[float, ...] = ()
    errors: tuple[CollectionError, ...] = ()
    deselected: int = 0
    go_on: bool = False
    """Whether the cases run in spite of errors, as the runner was told."""
    skips: tuple[CollectionError, ...] = ()
    reruns: tuple[tuple[int, int], ...] = ()
    """Indices of cases whose own mark says how often they may be run again, and how often."""
    given: Mapping[str, float] = field(default_factory=dict)
    """Seconds by case id, as the client knows them: by these alone shards are cut."""
    runner: bytes = b""
    """The RunnerFacts message; opaque to the core."""
    limits: tuple[float, ...] = ()
    """Learnt time limits of each case in seconds, 0.0 for none; or empty."""


@dataclass(frozen=True, slots=True)
class WantTasks:
    """Slots of an allocation need what follows."""

    worker_id: str
    allocation_id: str
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CaseOutcome:
    """A result of one case. `payload` is the CaseResult message where it is worth keeping, else empty."""

    case_index: int
    outcome: Outcome
    seconds: float
    message: str = ""
    payload: bytes = b""
    added_case_id: str = ""
    repeated: bool = False
    """A plugin of the suite has run it again in its slot already."""
    process: int = 0
    """Which process of the slot executed it, and as which of its cases, both from 1; 0: none did."""
    position: int = 0


@dataclass(frozen=True, slots=True)
class AttemptResults:
    """Results of one attempt, in the order of execution."""

    attempt_id: int
    results: tuple[CaseOutcome, ...]


@dataclass(frozen=True, slots=True)
class AttemptFinished:
    """An attempt ended on its worker."""

    attempt_id: int
    cause: Cause
    message: str = ""
    left: tuple[int, ...] = ()
    peak_memory: int = 0


@dataclass(frozen=True, slots=True)
class AllocationEnded:
    """An allocation ended on its worker, or could not begin there."""

    allocation_id: str
    cause: Cause
    message: str = ""
    ending: Ending = Ending.UNSPECIFIED
    waiting_artifacts: tuple[str, ...] = ()
    lost_artifacts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SlotsClosed:
    """Single slots of an allocation are free: their processes have ended. True for ever, whenever it arrives."""

    worker_id: str
    allocation_id: str
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """What a worker reported, in its order, and then the slots that want more. Resent reports change nothing."""

    worker_id: str
    incarnation: str
    items: tuple[AttemptResults | AttemptFinished | AllocationEnded, ...]
    wants: tuple[WantTasks, ...] = ()


@dataclass(frozen=True, slots=True)
class SubmitScheduled:
    """The time `at` of a schedule becomes the run `submit`; without one it cannot, as `note` says."""

    name: str
    schedule_id: str
    at: float
    submit: SubmitRun | None
    note: str = ""


Command = (
    SubmitRun
    | StopRun
    | WorkerHello
    | AttemptsMissing
    | PassTime
    | WorkerChanged
    | WorkerSilent
    | WorkerHeard
    | WorkerLost
    | WorkerLeft
    | ForgetWorkers
    | DrainWorker
    | WorkerLeaving
    | QuarantineWorker
    | CareForHosts
    | HealthChecked
    | ApplyPlan
    | ChangeDecider
    | RecordCollection
    | WantTasks
    | SlotsClosed
    | WorkerReport
    | AttachArtifacts
    | SetSemaphore
    | RemoveSemaphore
    | CreateSchedule
    | PauseSchedule
    | DeleteSchedule
    | TimesCame
    | SubmitScheduled
    | MakeReservation
    | CancelReservation
    | OverrideDevice
    | SetQuota
    | RemoveQuota
    | SetPriorityClass
    | RemovePriorityClass
)
