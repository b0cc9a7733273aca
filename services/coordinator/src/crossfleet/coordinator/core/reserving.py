"""Reservations are made, begin, are kept whole while workers come and go, and end."""

from __future__ import annotations

from dataclasses import replace

from crossfleet.coordinator.core.emitter import Emitter, Refused
from crossfleet.coordinator.core.model import State, Worker
from crossfleet.coordinator.core.outcomes import WorkerState
from crossfleet.coordinator.core.reservation import (
    CancelReservation,
    MakeReservation,
    Reservation,
    ReservationChanged,
    ReservationEnded,
)
from crossfleet.coordinator.core.settling import close, close_gang
from crossfleet.matching.fit import Eligible, eligible
from crossfleet.matching.model import Request

MOST_RESERVATIONS = 100
# Time passes for the machine twice a second.
_LOOK_SECONDS, _BEGINNING_SECONDS = 5.0, 0.75


def make_reservation(emit: Emitter, command: MakeReservation) -> None:
    """Commit a reservation; one whose time has come begins at once. The same id again changes nothing."""
    if command.reservation.reservation_id in emit.state.reservations:
        return
    if len(emit.state.reservations) >= MOST_RESERVATIONS:
        raise Refused("STATE_CONFLICT", f"there are {MOST_RESERVATIONS} reservations already: cancel some", "")
    emit(ReservationChanged(command.reservation))
    settle_reservations(emit, looking=True)


def cancel_reservation(emit: Emitter, command: CancelReservation) -> None:
    """End a reservation now."""
    reservation = emit.state.reservations.get(command.reservation_id)
    if reservation is None:
        text = f"no reservation {command.reservation_id!r}"
        raise Refused("RESERVATION_NOT_FOUND", text, "reservation_id", reservation=command.reservation_id)
    emit(ReservationEnded(reservation.reservation_id, reservation.worker_ids))
    settle_reservations(emit, looking=True)


def settle_reservations(emit: Emitter, *, looking: bool = False) -> None:
    """Begin and end what is due, the earliest first; what others hold on a worker that is kept is given back between two tasks.

    All workers of a fleet are looked at when a reservation begins, has lost one, or with `looking`; else, where some are
    lacking, every few seconds.
    """
    for reservation in sorted(emit.state.reservations.values(), key=lambda one: (one.starts_at, one.reservation_id)):
        if reservation.ends_at <= emit.now:
            emit(ReservationEnded(reservation.reservation_id, reservation.worker_ids))
        elif reservation.starts_at <= emit.now and (looking or _may_change(emit, reservation)):
            kept = _chosen(emit.state, reservation)
            if kept != reservation.worker_ids:
                released = tuple(one for one in reservation.worker_ids if one not in kept)
                emit(ReservationChanged(replace(reservation, worker_ids=kept), released))
                for worker_id in kept:
                    _clear(emit, worker_id, reservation)


def _may_change(emit: Emitter, reservation: Reservation) -> bool:
    """It begins, has lost a worker, or it is time to look for more of those that it lacks."""
    if emit.now - reservation.starts_at < _BEGINNING_SECONDS:
        return True
    kept = reservation.worker_ids
    lacks = not reservation.workers or len(kept) < reservation.workers
    look = lacks and emit.now % _LOOK_SECONDS < _BEGINNING_SECONDS
    return look or not all(_can_be_kept(emit.state.workers[worker_id]) for worker_id in kept)


def _can_be_kept(worker: Worker) -> bool:
    return worker.state is not WorkerState.LOST and not worker.ending


def keeper(state: State, worker_id: str) -> Reservation | None:
    """The reservation for which a worker is kept."""
    return next((one for one in state.reservations.values() if worker_id in one.worker_ids), None)


def kept_from(state: State, worker_id: str, project: str) -> Reservation | None:
    """The reservation that keeps a worker from a project."""
    found = keeper(state, worker_id)
    return None if found is None or found.project == project else found


def _chosen(state: State, reservation: Reservation) -> tuple[str, ...]:
    """Those that are kept already and can be, then others: those with the least to give back, by name."""
    others = {one for other in state.reservations.values() if other is not reservation for one in other.worker_ids}
    wanted = Request(selector=reservation.selector, tolerations=frozenset({"*"}))
    able = [
        worker
        for worker in state.workers.values()
        if _can_be_kept(worker)
        and worker.worker_id not in others
        # Of one that has not come back to a new leader yet nothing is known.
        and (worker.worker_id in reservation.worker_ids or _satisfies(state, worker, wanted))
    ]
    able.sort(
        key=lambda one: (one.worker_id not in reservation.worker_ids, _foreign(state, one, reservation), one.worker_id)
    )
    return tuple(sorted(one.worker_id for one in able[: reservation.workers or len(able)]))


def _satisfies(state: State, worker: Worker, wanted: Request) -> bool:
    return isinstance(eligible(wanted, worker.view, state.selectors), Eligible)


def _foreign(state: State, worker: Worker, reservation: Reservation) -> int:
    held = (state.allocations[allocation_id] for allocation_id in worker.allocations)
    return sum(state.runs[one.run_id].project != reservation.project for one in held)


def _clear(emit: Emitter, worker_id: str, reservation: Reservation) -> None:
    cause = f"its worker is reserved for project {reservation.project}"
    for allocation_id in sorted(emit.state.workers[worker_id].allocations):
        allocation = emit.state.allocations[allocation_id]
        if not allocation.closing and emit.state.runs[allocation.run_id].project != reservation.project:
            close(emit, allocation, cause)
            group = emit.state.groups[allocation.group_id]
            if group.target.request.gang > 1:
                close_gang(emit, group, cause)
