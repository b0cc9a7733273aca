"""How facts about workers change the state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.health import Health
from crossfleet.coordinator.core.model import State, Worker
from crossfleet.coordinator.core.outcomes import WorkerState
from crossfleet.coordinator.core.override import DeviceOverridden, overridden
from crossfleet.coordinator.core.reservation import ReservationChanged, ReservationEnded
from crossfleet.matching.model import QUARANTINED, WorkerView


def worker_joined(state: State, event: e.WorkerJoined) -> None:
    """A worker opened a session; what it holds stays as it is until other facts say otherwise."""
    earlier = state.workers.get(event.worker_id)
    drained = earlier.drained if earlier else False
    leaving = earlier.leaving and earlier.incarnation == event.incarnation if earlier else False
    health = earlier.health if earlier else {}
    worker = Worker(
        event.worker_id,
        event.incarnation,
        event.session_id,
        event.view,
        event.runners,
        event.description,
        WorkerState.READY,
        drained,
        earlier.cause if earlier and (drained or leaving) else "",
        event.at,
        earlier.allocations if earlier else set(),
        event.checks_health,
        health,
        leaving,
        earlier.overrides if earlier else {},
        event.view,
        event.gives_back_slots,
    )
    worker.state = worker.standing
    _look_again(state, worker)


def worker_updated(state: State, event: e.WorkerUpdated) -> None:
    """Its devices, conditions or taints changed."""
    worker = state.workers[event.worker_id]
    found_all = worker.reported.looking and not event.view.looking
    worker.reported = event.view
    worker.description = event.description
    _look_again(state, worker)
    # What it has found is to be seen by whoever plans before a group fails for want of it.
    for group in state.groups.values() if found_all else ():
        group.never_since = event.at if group.never else 0.0


def worker_state_changed(state: State, event: e.WorkerStateChanged) -> None:
    """A worker became ready, suspect or draining."""
    worker = state.workers[event.worker_id]
    worker.state = WorkerState(event.state)
    worker.drained = event.drained
    worker.leaving |= worker.state is WorkerState.DRAINING and not event.drained
    worker.cause = event.cause


def worker_gone(state: State, event: e.WorkerGone) -> None:
    """A worker was lost, or has left."""
    worker = state.workers[event.worker_id]
    worker.state = WorkerState.LOST
    worker.cause = event.cause
    worker.session_id = ""
    worker.gone_at, worker.has_left = event.at, event.has_left


def worker_forgotten(state: State, event: e.WorkerForgotten) -> None:
    """It was gone for long."""
    state.drop(event.worker_id)


def health_changed(state: State, event: e.HealthChanged) -> None:
    """What is known of the health of a host or device is another. A new record, since earlier ones may be held elsewhere."""
    worker = state.workers[event.worker_id]
    worker.health = {**worker.health, event.device_id: event.health}
    if worker.state in {WorkerState.READY, WorkerState.DRAINING, WorkerState.QUARANTINED}:
        worker.state = worker.standing
    if event.device_id:
        _look_again(state, worker)


def device_overridden(state: State, event: DeviceOverridden) -> None:
    """What people say of a device is another. A new record, since earlier ones may be held elsewhere."""
    worker = state.workers[event.worker_id]
    worker.overrides = {name: one for name, one in worker.overrides.items() if name != event.device_id}
    if event.override is not None:
        worker.overrides[event.device_id] = event.override
    _look_again(state, worker)


def reservation_changed(state: State, event: ReservationChanged) -> None:
    """Workers are kept for a project, or will be."""
    state.reservations[event.reservation.reservation_id] = event.reservation


def reservation_ended(state: State, event: ReservationEnded) -> None:
    """They are kept no longer."""
    del state.reservations[event.reservation_id]


def _look_again(state: State, worker: Worker) -> None:
    """The view of a worker follows from what it reports, what people say of its devices, and their health."""
    worker.view = _with_health(overridden(worker.reported, worker.overrides), worker.health)
    state.take_in(worker)
    state.selectors.learn((worker.view,))


def _with_health(view: WorkerView, health: Mapping[str, Health]) -> WorkerView:
    """The view in which devices that are out are in that condition, and no others."""
    out = {device_id for device_id, one in health.items() if device_id and one.out}
    if not out and not any(QUARANTINED in device.conditions for device in view.devices):
        return view
    devices = (
        replace(one, conditions=one.conditions - {QUARANTINED} | ({QUARANTINED} if one.id in out else frozenset()))
        for one in view.devices
    )
    return replace(view, devices=tuple(devices))
