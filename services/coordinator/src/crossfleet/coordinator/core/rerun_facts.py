"""Facts about where cases failed, and where they are to be run again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SlotModels:
    """Models of the devices that slots of an allocation have, by number; without those that have none. Comes after AllocationOpened."""

    run_id: str
    group_id: str
    allocation_id: str
    models: tuple[tuple[int, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class RerunsSought:
    """Cases that failed wait for a place elsewhere until then, in unix seconds; 0: they may go anywhere."""

    run_id: str
    group_id: str
    case_indices: tuple[int, ...]
    until: float


RerunFact = SlotModels | RerunsSought
