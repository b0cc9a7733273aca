"""A reservation: workers that work for one project alone for a while."""

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
