"""Reservations as they are asked for, and as they are answered."""

from __future__ import annotations

from hashlib import sha256

from crossfleet.api.coordinator.v1 import admin_service_pb2 as admin_pb2
from crossfleet.coordinator.convert.checks import Checks
from crossfleet.coordinator.convert.runs import set_time
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.reservation import Reservation
from crossfleet.matching.cel import SelectorError
from crossfleet.matching.selectors import Selectors

_YEAR = 366 * 86_400.0
_MOST_WORKERS = 100_000


def reservation_from(request: admin_pb2.MakeReservationRequest, now: float, selectors: Selectors) -> Reservation:
    """A checked reservation, with an id that follows from the request's. Raises InvalidArgument, SelectorInvalid."""
    checks, given = Checks(), request.reservation
    checks.require(0 < len(request.request_id.encode()) <= 200, "request_id", "1 to 200 bytes, a UUID for instance")
    checks.name(given.project, "reservation.project")
    checks.size(given.title, "reservation.title", 500)
    checks.require(0 <= given.workers <= _MOST_WORKERS, "reservation.workers", f"0 to {_MOST_WORKERS}; 0: all")
    starts_at = given.starts_at.ToNanoseconds() / 1e9 if given.HasField("starts_at") else now
    ends_at = given.ends_at.ToNanoseconds() / 1e9
    in_time = max(starts_at, now) < ends_at <= now + _YEAR
    checks.require(in_time, "reservation.ends_at", "a time to come, after its beginning and within a year")
    try:
        selectors.compile(given.selector)
    except SelectorError as error:
        checks.selector("reservation.selector", given.project, error)
    checks.finish("the reservation")
    return Reservation(
        reservation_id=f"reservation-{sha256(request.request_id.encode()).hexdigest()[:16]}",
        project=given.project,
        selector=given.selector,
        workers=given.workers,
        starts_at=starts_at,
        ends_at=ends_at,
        title=given.title,
        created_at=now,
    )


def reservation_messages(state: State) -> list[admin_pb2.Reservation]:
    """All, by their beginning."""
    found = sorted(state.reservations.values(), key=lambda one: (one.starts_at, one.reservation_id))
    return [_message(one) for one in found]


def _message(one: Reservation) -> admin_pb2.Reservation:
    message = admin_pb2.Reservation(
        reservation_id=one.reservation_id,
        project=one.project,
        selector=one.selector,
        workers=one.workers,
        title=one.title,
        worker_ids=one.worker_ids,
    )
    set_time(message.starts_at, one.starts_at)
    set_time(message.ends_at, one.ends_at)
    return message
