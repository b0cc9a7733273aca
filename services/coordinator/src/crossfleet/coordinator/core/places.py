"""Facts about where a target has slots, and what it takes because of that and of time."""

from __future__ import annotations

from dataclasses import dataclass

from crossfleet.matching.model import Portions


@dataclass(frozen=True, slots=True)
class AlternativesOpened:
    """So many of a group's alternatives have come in; since `at` the last of them is waited for (0: its time does not run)."""

    run_id: str
    group_id: str
    count: int
    at: float


@dataclass(frozen=True, slots=True)
class AlternativeSkipped:
    """One of a group's alternatives, by index, is not offered, as its project's quota never allows it; `text` says more.
    Empty: it is again, when it has come in."""

    run_id: str
    group_id: str
    index: int
    text: str


@dataclass(frozen=True, slots=True)
class AllocationPlaced:
    """Where an allocation is, as far as others depend on it, and by which alternative, by index (-1: none). Comes after AllocationOpened."""

    run_id: str
    group_id: str
    allocation_id: str
    host: str
    models: tuple[str, ...]
    alternative: int


@dataclass(frozen=True, slots=True)
class PortionsTaken:
    """What the slots of an allocation, in their order, take of devices that others may use too. Comes after AllocationOpened: whoever does
    not know it takes the devices for held whole."""

    run_id: str
    allocation_id: str
    portions: tuple[Portions, ...]


@dataclass(frozen=True, slots=True)
class PlaceLeft:
    """A group, by whose place others of its run may ask for something else, has given something back. Comes after AllocationClosed."""

    run_id: str
    group_id: str
    at: float


PlaceFact = AlternativesOpened | AlternativeSkipped | AllocationPlaced | PlaceLeft | PortionsTaken
