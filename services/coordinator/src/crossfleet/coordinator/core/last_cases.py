"""Facts about the last cases of a run: what limits them, who executes them a second time, and which slots they leave."""

from __future__ import annotations

from dataclasses import dataclass

from crossfleet.coordinator.core.outcomes import Cause


@dataclass(frozen=True, slots=True)
class LimitsLearnt:
    """Time limits of a group's cases in seconds, by index; 0.0 where nothing is known. Comes after CasesCollected."""

    run_id: str
    group_id: str
    seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SlotsGivenBack:
    """Single slots of an allocation get nothing new and are to be given back.

    `gone`: their processes have ended, they are free.
    """

    run_id: str
    group_id: str
    allocation_id: str
    worker_id: str
    slots: tuple[int, ...]
    gone: bool


@dataclass(frozen=True, slots=True)
class SlotsFreed:
    """Until when single slots of an allocation were held (unix seconds): they cost nothing more. Comes after SlotsGivenBack."""

    run_id: str
    allocation_id: str
    slots: tuple[int, ...]
    at: float


@dataclass(frozen=True, slots=True)
class CopyAssigned:
    """A case that lasts is executed a second time, on another host, while its first execution goes on.

    To a version that does not know of copies the slot is idle, and the attempt unknown.
    """

    run_id: str
    group_id: str
    allocation_id: str
    worker_id: str
    attempt_id: int
    task_id: int
    slot: int
    case_index: int
    running: float
    """For how many seconds the first execution has been going on."""
    at: float


@dataclass(frozen=True, slots=True)
class CopyEnded:
    """A copy is over. `revoked`: its worker is told to end it.

    `kept`: it goes on as an attempt like others, see TasksAssigned.
    """

    run_id: str
    group_id: str
    worker_id: str
    attempt_id: int
    cause: Cause
    message: str
    peak_memory: int
    at: float
    revoked: bool = False
    kept: bool = False
