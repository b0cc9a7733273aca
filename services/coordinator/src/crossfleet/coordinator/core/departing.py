"""Workers go: lost, or in good order. Who has been gone for long is forgotten."""

from __future__ import annotations

from dataclasses import dataclass

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.allocations import drop_allocation, fail_if_spent
from crossfleet.coordinator.core.blame import blame, executing_on
from crossfleet.coordinator.core.commands import ForgetWorkers, WorkerLeft, WorkerLost
from crossfleet.coordinator.core.emitter import Emitter
from crossfleet.coordinator.core.model import State, Worker
from crossfleet.coordinator.core.outcomes import Cause, WorkerState
from crossfleet.coordinator.core.reserving import keeper
from crossfleet.coordinator.core.stopping import stop_at_failure_limit


@dataclass(frozen=True, slots=True)
class Memory:
    """Who may be forgotten: those that have left, or were lost, before these unix seconds.

    `kept_before` is for those about whom somebody has said something: a drain, an override or a quarantine outlives a host's absence.
    """

    left_before: float
    lost_before: float
    kept_before: float

    def before(self, worker: Worker) -> float:
        """The time before which this worker must have gone."""
        if worker.drained or worker.overrides or any(known.out for known in worker.health.values()):
            return self.kept_before
        return self.left_before if worker.has_left else self.lost_before


def worker_lost(emit: Emitter, command: WorkerLost) -> None:
    """Give up what the worker held; its cases go elsewhere and lose a try."""
    worker = emit.state.workers.get(command.worker_id)
    if worker is not None and worker.state is not WorkerState.LOST:
        _go(emit, worker, command.reason, blames=command.blames)


def worker_left(emit: Emitter, command: WorkerLeft) -> None:
    """The end of the session of a worker that said that it would leave; news of an earlier session is ignored."""
    worker = emit.state.workers.get(command.worker_id)
    if worker is None or worker.session_id != command.session_id or not worker.leaving:
        return
    if worker.state is not WorkerState.LOST:
        _go(emit, worker, "it left before what it held had ended", blames=True)


def _go(emit: Emitter, worker: Worker, reason: str, *, blames: bool) -> None:
    """Whoever wanted to leave and holds nothing has left; all others are lost."""
    left = worker.leaving and not worker.allocations
    at = max(emit.now, worker.joined_at)  # by the clock of an earlier leader, perhaps
    emit(e.WorkerGone(worker.worker_id, worker.cause if left else reason, at, left))
    if blames:
        blame(emit, worker.worker_id, Cause.HOST_LOST, executing_on(emit, worker))
    for allocation_id in sorted(worker.allocations):
        allocation = emit.state.allocations.get(allocation_id)
        if allocation is not None:
            drop_allocation(emit, allocation, Cause.HOST_LOST, reason, avoid=True)
            fail_if_spent(emit, emit.state.groups[allocation.group_id], Cause.HOST_LOST, reason)
            stop_at_failure_limit(emit, emit.state.runs[allocation.run_id])


def departed(state: State, memory: Memory) -> list[str]:
    """Names of those who may be forgotten."""
    return [
        name
        for name, worker in state.workers.items()
        if _is_forgettable(state, worker) and worker.gone_at < memory.before(worker)
    ]


def forget_workers(emit: Emitter, command: ForgetWorkers) -> None:
    """Forget those of them that have not come back meanwhile. What was executed there keeps their names."""
    for worker_id in command.worker_ids:
        worker = emit.state.workers.get(worker_id)
        if worker is not None and _is_forgettable(emit.state, worker):
            emit(e.WorkerForgotten(worker_id))


def _is_forgettable(state: State, worker: Worker) -> bool:
    return worker.state is WorkerState.LOST and not worker.allocations and keeper(state, worker.worker_id) is None
