"""What queries answer: rows as values. Times are unix seconds, 0.0 for not yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crossfleet.coordinator.core.events import Event
from crossfleet.coordinator.core.health import Health
from crossfleet.coordinator.core.outcomes import Cause, Ending, GroupState, Outcome, RunState, RunVerdict, WorkerState
from crossfleet.coordinator.core.override import Override


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run. `cursor_seq`: its first event comes after this commit."""

    run_id: str
    request_id: str
    project: str
    suite: str
    runner: str
    priority: int
    spec: bytes
    cursor_seq: int
    created_at: float
    state: RunState
    verdict: RunVerdict
    cause: str
    started_at: float
    finished_at: float


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A task group; `counts[outcome]` are cases, `cases` those in all."""

    group_id: str
    run_id: str
    position: int
    target: str
    state: GroupState
    digest: str
    cases: int
    deselected: int
    counts: list[int]
    waiting_code: str
    waiting_text: str
    cause: str
    ending: Ending
    cause_details: str
    skipped: bool = False
    alternatives: Sequence[tuple[int, int]] = ()
    """By which alternatives, by index, slots were given, and how many."""
    unchanged_since: str = ""
    comparison: str = ""


@dataclass(frozen=True, slots=True)
class PastTarget:
    """A target of a run that is over."""

    run_id: str
    spec: bytes
    finished_at: float
    group_id: str
    target: str
    digest: str


@dataclass(frozen=True, slots=True)
class PastCases:
    """The cases of a target of a run that is over, and those of them that were skipped."""

    ids: tuple[str, ...]
    skipped: frozenset[str]


@dataclass(frozen=True, slots=True)
class EarlierRow:
    """A failure after which a case was run again. `payload` as in CaseRow."""

    outcome: Outcome
    seconds: float
    message: str
    worker_id: str
    slot: int
    attempt_id: int
    batch: int = 0
    payload: bytes = b""
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case with its verdict; PENDING where there is none. `payload` is the full result, where asked for and kept.

    `position` is the target's in the matrix, `place` the case's among those of its process; `batch` is the commit that has
    the full result, 0 for none. `time_limit` is one of its own, in seconds, 0.0 for none. `models` are those of the devices of its
    slot, where it was run again and they are known.
    """

    target: str
    position: int
    case_index: int
    case_id: str
    outcome: Outcome
    seconds: float = 0.0
    message: str = ""
    worker_id: str = ""
    slot: int = 0
    attempt_id: int = 0
    batch: int = 0
    payload: bytes = b""
    earlier: tuple[EarlierRow, ...] = ()
    process: int = 0
    place: int = 0
    time_limit: float = 0.0
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """One process of a slot, the `place`-th of its allocation from 0; `runner` and `worker` are RunnerFacts and Worker messages."""

    group_id: str
    allocation_id: str
    worker_id: str
    slot: int
    place: int
    number: int
    runner: bytes
    worker: bytes


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """An attempt; UNSPECIFIED while it runs."""

    attempt_id: int
    task_id: int
    run_id: str
    group_id: str
    allocation_id: str
    worker_id: str
    slot: int
    cases: int
    assigned_at: float
    ended_at: float
    cause: Cause
    message: str
    peak_memory: int
    alternative: int = 0


@dataclass(frozen=True, slots=True)
class ArtifactRow:
    """A blob that belongs to a run; `size` in bytes."""

    run_id: str
    target: str
    name: str
    digest: str
    size: int
    media_type: str
    case_id: str
    created_at: float


@dataclass(frozen=True, slots=True)
class WaitingArtifactRow:
    """What a worker keeps until it can be stored."""

    run_id: str
    target: str
    name: str
    worker_id: str
    since: float


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker that joined once. `health` by device, of the host under the empty name; `overrides` by device.

    `gone_at` is 0.0 for one that is there.
    """

    worker_id: str
    incarnation: str
    state: WorkerState
    drained: bool
    cause: str
    runners: tuple[str, ...]
    description: bytes
    joined_at: float
    health: Mapping[str, Health]
    overrides: Mapping[str, Override]
    gone_at: float = 0.0
    has_left: bool = False


@dataclass(frozen=True, slots=True)
class HeldRow:
    """An allocation that is open; `running` attempts execute in it."""

    allocation_id: str
    group_id: str
    run_id: str
    target: str
    worker_id: str
    slots: tuple[int, ...]
    running: int


@dataclass(frozen=True, slots=True)
class OpenWork:
    """Runs that are not finished, and their cases without a verdict."""

    runs: int
    cases: int


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A committed fact, less what is left out of the log."""

    seq: int
    index: int
    at: float
    run_id: str
    event: Event
