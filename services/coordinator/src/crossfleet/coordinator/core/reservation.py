"""A reservation: workers that work for one project alone for a while; its commands and facts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reservation:
    """Times in unix seconds. `workers` says how many of those that satisfy `selector`, 0: all of them.

    `worker_ids` are those that are kept now, by name.
    """

    reservation_id: str
    project: str
    selector: str
    workers: int
    starts_at: float
    ends_at: float
    title: str
    created_at: float
    worker_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MakeReservation:
    """A person keeps workers for a project."""

    reservation: Reservation


@dataclass(frozen=True, slots=True)
class CancelReservation:
    """A person ends a reservation."""

    reservation_id: str


@dataclass(frozen=True, slots=True)
class ReservationChanged:
    """Where a reservation stands, new or known; workers that are `released` are kept no longer."""

    reservation: Reservation
    released: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReservationEnded:
    """There is no such reservation any more; its workers work for everybody."""

    reservation_id: str
    released: tuple[str, ...]
