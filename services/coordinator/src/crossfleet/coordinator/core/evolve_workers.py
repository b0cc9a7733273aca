"""How facts about workers change the state."""

from __future__ import annotations

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.model import State, Worker
from crossfleet.coordinator.core.outcomes import WorkerState


def worker_joined(state: State, event: e.WorkerJoined) -> None:
    """A worker opened a session; what it holds stays as it is until other facts say otherwise."""
    earlier = state.workers.get(event.worker_id)
    drained = earlier.drained if earlier else False
    state.workers[event.worker_id] = Worker(
        event.worker_id,
        event.incarnation,
        event.session_id,
        event.view,
        event.runners,
        event.description,
        WorkerState.DRAINING if drained else WorkerState.READY,
        drained,
        earlier.cause if earlier and drained else "",
        event.at,
        earlier.allocations if earlier else set(),
    )
    state.selectors.learn((event.view,))


def worker_updated(state: State, event: e.WorkerUpdated) -> None:
    """Its devices, conditions or taints changed."""
    worker = state.workers[event.worker_id]
    worker.view = event.view
    worker.description = event.description
    state.selectors.learn((event.view,))


def worker_state_changed(state: State, event: e.WorkerStateChanged) -> None:
    """A worker became ready, suspect, draining or lost."""
    worker = state.workers[event.worker_id]
    worker.state = WorkerState(event.state)
    worker.drained = event.drained
    worker.cause = event.cause
    if worker.state is WorkerState.LOST:
        worker.session_id = ""
