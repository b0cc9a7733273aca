"""Committed facts. The state is what one gets by evolving it with them in order; nothing else changes it."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from crossfleet.coordinator.core.artifact import ArtifactFact
from crossfleet.coordinator.core.cases import CollectedCase
from crossfleet.coordinator.core.commands import PolicySpec, TargetSpec
from crossfleet.coordinator.core.health import Health
from crossfleet.coordinator.core.last_cases import CopyAssigned, CopyEnded, LimitsLearnt, SlotsFreed, SlotsGivenBack
from crossfleet.coordinator.core.outcomes import Cause, Ending, Outcome, RunVerdict
from crossfleet.coordinator.core.override import DeviceOverridden
from crossfleet.coordinator.core.places import PlaceFact
from crossfleet.coordinator.core.priority_class import PriorityFact
from crossfleet.coordinator.core.proof import ProofFact
from crossfleet.coordinator.core.quota import QuotaFact
from crossfleet.coordinator.core.rerun_facts import RerunFact
from crossfleet.coordinator.core.reservation import ReservationChanged, ReservationEnded
from crossfleet.coordinator.core.schedule import ScheduleFact
from crossfleet.coordinator.core.semaphore import SemaphoreFact
from crossfleet.matching.model import WorkerView


@dataclass(frozen=True, slots=True)
class RunSubmitted:
    """A run exists from now on; its groups are `<run_id>/<target>`."""

    run_id: str
    request_id: str
    fingerprint: str
    project: str
    suite: str
    runner: str
    priority: int
    targets: tuple[TargetSpec, ...]
    policy: PolicySpec
    seed: int
    spec: bytes
    at: float
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class CasesCollected:
    """The canonical cases of a group are known. Stored apart by digest; `estimates` are seconds."""

    run_id: str
    group_id: str
    digest: str
    cases: tuple[CollectedCase, ...]
    estimates: tuple[float, ...]
    deselected: int


@dataclass(frozen=True, slots=True)
class CasesAdded:
    """Cases that only showed when they were executed (read from JUnit files); they take the next indices."""

    run_id: str
    group_id: str
    case_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AllocationOpened:
    """Slots of a worker belong to a group; `device_ids[i]` belongs to `slots[i]`."""

    run_id: str
    group_id: str
    allocation_id: str
    worker_id: str
    slots: tuple[int, ...]
    device_ids: tuple[tuple[str, ...], ...]
    cpu_cores: float
    at: float


@dataclass(frozen=True, slots=True)
class AllocationReady:
    """The allocation's runner has collected the group's canonical cases; its slots take tasks.

    `mapping[local]` is the canonical index of the worker's case `local`, -1 where the group has no such case; empty
    when both number alike.
    """

    run_id: str
    allocation_id: str
    mapping: tuple[int, ...] = ()
    message: str = ""


@dataclass(frozen=True, slots=True)
class RunnerDescribed:
    """What executes the cases of an allocation: the RunnerFacts message, opaque."""

    run_id: str
    allocation_id: str
    facts: bytes


@dataclass(frozen=True, slots=True)
class AllocationClosing:
    """The allocation gets nothing new and is to be given back; its slots stay held until AllocationClosed."""

    run_id: str
    allocation_id: str
    cause: str


@dataclass(frozen=True, slots=True)
class AllocationClosed:
    """Its slots are free. `avoid` marks the worker as one to avoid for this group."""

    run_id: str
    group_id: str
    allocation_id: str
    cause: Cause
    message: str
    avoid: bool


@dataclass(frozen=True, slots=True)
class AssignedTask:
    """One attempt: cases by index, in the order of execution. `last`: nothing follows on this slot for now."""

    attempt_id: int
    task_id: int
    slot: int
    case_indices: tuple[int, ...]
    last: bool


@dataclass(frozen=True, slots=True)
class TasksAssigned:
    """Tasks were cut and put on slots of one allocation."""

    run_id: str
    group_id: str
    allocation_id: str
    worker_id: str
    tasks: tuple[AssignedTask, ...]
    at: float


@dataclass(frozen=True, slots=True)
class SlotsWanting:
    """Slots asked for work and there was none to give yet; they are served when there is."""

    run_id: str
    allocation_id: str
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SlotsReleased:
    """Nothing follows on these slots: a held-back case may run with its full tear-down."""

    run_id: str
    allocation_id: str
    worker_id: str
    slots: tuple[int, ...]


class FinishedCase(msgspec.Struct, frozen=True, gc=False):
    """A verdict: the first committed result of a case that is not followed by a rerun.

    Without an attempt it is no execution's own: what follows from earlier ones, or from the end of the run. `process` and
    `position` as in CaseOutcome. No dataclass, as CollectedCase is none: the end of a run may make a million of them at once.
    """

    case_index: int
    outcome: Outcome
    seconds: float
    message: str
    attempt_id: int
    worker_id: str
    slot: int
    process: int = 0
    position: int = 0


@dataclass(frozen=True, slots=True)
class RerunsMarked:
    """How often cases, by index, may be run again as their own marks say. Comes after CasesCollected."""

    run_id: str
    group_id: str
    marks: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class CasesRerun:
    """Cases failed and are to be run again; as in CasesFinished, but no verdicts."""

    run_id: str
    group_id: str
    cases: tuple[FinishedCase, ...]
    payloads: tuple[tuple[int, bytes], ...]
    at: float


@dataclass(frozen=True, slots=True)
class CasesDue:
    """Cases that rested before they are run again are pending."""

    run_id: str
    group_id: str
    case_indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CasesFinished:
    """Cases got their verdict. `payloads` (case index, CaseResult message) are stored apart, not in the event log."""

    run_id: str
    group_id: str
    cases: tuple[FinishedCase, ...]
    payloads: tuple[tuple[int, bytes], ...]
    at: float


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """An attempt is over. `left` go back to the queue, `charged` says whether that costs one of their tries."""

    run_id: str
    group_id: str
    attempt_id: int
    cause: Cause
    message: str
    left: tuple[int, ...]
    charged: bool
    peak_memory: int
    at: float


@dataclass(frozen=True, slots=True)
class AttemptsRevoked:
    """Attempts whose results no longer count; the worker is told to end them."""

    run_id: str
    worker_id: str
    attempt_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GroupWaiting:
    """Why a group waits (empty text: it no longer does)."""

    run_id: str
    group_id: str
    never: bool
    code: str
    text: str
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class GroupFinished:
    """Every case of the group has a verdict, or the group failed (cause is not empty).

    `infrastructure` says that the fleet failed it, not the suite.
    """

    run_id: str
    group_id: str
    failed: bool
    cause: str
    at: float
    infrastructure: bool = False


@dataclass(frozen=True, slots=True)
class SuiteEnded:
    """How a group's suite ended as a whole, and what belongs to the cause beside its one line. Comes before GroupFinished."""

    run_id: str
    group_id: str
    ending: Ending
    details: str


@dataclass(frozen=True, slots=True)
class RunStopping:
    """Nothing new is placed for the run."""

    run_id: str
    cause: str
    cancelled: bool


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The run has its verdict."""

    run_id: str
    verdict: RunVerdict
    cause: str
    at: float


@dataclass(frozen=True, slots=True)
class WorkerJoined:
    """A worker opened a session (again). The view is not stored: after a restart workers introduce themselves."""

    worker_id: str
    incarnation: str
    session_id: str
    view: WorkerView
    runners: tuple[str, ...]
    description: bytes
    at: float
    checks_health: bool = False
    gives_back_slots: bool = False


@dataclass(frozen=True, slots=True)
class WorkerUpdated:
    """Its devices, conditions or taints changed. `at` (unix seconds) is not kept: nothing that is read back follows from it."""

    worker_id: str
    view: WorkerView
    description: bytes
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class WorkerStateChanged:
    """A worker became ready, suspect or draining. One that is draining and was not drained is leaving.

    Earlier versions said so too of one that was lost.
    """

    worker_id: str
    state: int
    drained: bool
    cause: str


@dataclass(frozen=True, slots=True)
class WorkerGone:
    """A worker was lost, or `has_left` in good order."""

    worker_id: str
    cause: str
    at: float
    has_left: bool


@dataclass(frozen=True, slots=True)
class WorkerForgotten:
    """A worker that has gone is known no longer. Facts of before go on naming it."""

    worker_id: str


@dataclass(frozen=True, slots=True)
class HealthChanged:
    """What is known of the health of a host, or of one of its devices, as a whole. `device_id` is empty for the host."""

    worker_id: str
    device_id: str
    health: Health


@dataclass(frozen=True, slots=True)
class CanaryOpened:
    """An allocation is the canary of its worker: it gets one task, and what infrastructure does to that costs its run nothing."""

    run_id: str
    allocation_id: str


@dataclass(frozen=True, slots=True)
class CaseStruck:
    """A case was executing when its host or process was lost for a cause that it may have brought about itself."""

    run_id: str
    group_id: str
    case_index: int
    worker_id: str


@dataclass(frozen=True, slots=True)
class GroupHeldBack:
    """The group is not offered to schedulers, by `by` (`needs`, `semaphore`) and as `text` says; empty: it is again."""

    run_id: str
    group_id: str
    by: str
    text: str


@dataclass(frozen=True, slots=True)
class GroupSkipped:
    """The group ends without having been begun: one that it needs did not pass, or has not changed. Comes before GroupFinished."""

    run_id: str
    group_id: str


@dataclass(frozen=True, slots=True)
class DeciderChanged:
    """Another scheduler decides for a group. `fallback`: it stands in for the one that the group belongs to, for `cause`."""

    run_id: str
    group_id: str
    scheduler: str
    fallback: bool
    cause: str
    at: float


Event = (
    RunSubmitted
    | CasesCollected
    | LimitsLearnt
    | CasesAdded
    | RerunsMarked
    | CasesRerun
    | CasesDue
    | AllocationOpened
    | AllocationReady
    | RunnerDescribed
    | AllocationClosing
    | AllocationClosed
    | SlotsGivenBack
    | SlotsFreed
    | TasksAssigned
    | CopyAssigned
    | CopyEnded
    | SlotsWanting
    | SlotsReleased
    | CasesFinished
    | AttemptEnded
    | AttemptsRevoked
    | GroupWaiting
    | GroupFinished
    | SuiteEnded
    | RunStopping
    | RunFinished
    | ArtifactFact
    | WorkerJoined
    | WorkerUpdated
    | WorkerStateChanged
    | WorkerGone
    | WorkerForgotten
    | HealthChanged
    | CanaryOpened
    | CaseStruck
    | GroupHeldBack
    | GroupSkipped
    | PlaceFact
    | SemaphoreFact
    | ScheduleFact
    | DeciderChanged
    | ReservationChanged
    | ReservationEnded
    | DeviceOverridden
    | QuotaFact
    | PriorityFact
    | RerunFact
    | ProofFact
)
