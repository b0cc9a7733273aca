"""A semaphore: how much there is of something outside the fleet; its commands and facts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Semaphore:
    """A counter of which open allocations hold a part. `held` may exceed a capacity that was lowered since."""

    capacity: int = 0
    held: int = 0


@dataclass(frozen=True, slots=True)
class SetSemaphore:
    """A person says how much there is of a semaphore, new or known."""

    name: str
    capacity: int


@dataclass(frozen=True, slots=True)
class RemoveSemaphore:
    """A person removes a semaphore that nobody uses."""

    name: str


@dataclass(frozen=True, slots=True)
class SemaphoreSet:
    """So much there is of a semaphore from now on."""

    name: str
    capacity: int


@dataclass(frozen=True, slots=True)
class SemaphoreRemoved:
    """There is no such semaphore any more."""

    name: str


SemaphoreFact = SemaphoreSet | SemaphoreRemoved
