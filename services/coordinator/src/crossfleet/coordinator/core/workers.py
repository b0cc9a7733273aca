"""Workers join, change, fall silent and are drained."""

from __future__ import annotations

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.allocations import drop_allocation
from crossfleet.coordinator.core.answers import HelloAnswer
from crossfleet.coordinator.core.care import release
from crossfleet.coordinator.core.commands import (
    AttemptsMissing,
    DrainWorker,
    HeldAllocation,
    WorkerChanged,
    WorkerHeard,
    WorkerHello,
    WorkerLeaving,
    WorkerSilent,
)
from crossfleet.coordinator.core.dispatching import feed_allocation, feed_group
from crossfleet.coordinator.core.emitter import Emitter, Refused
from crossfleet.coordinator.core.model import Allocation, Worker
from crossfleet.coordinator.core.outcomes import Cause, WorkerState
from crossfleet.coordinator.core.settling import close, end_attempt, settle_group
from crossfleet.coordinator.core.spare import free_slots


def worker_hello(emit: Emitter, command: WorkerHello) -> HelloAnswer:
    """Open a session. What the worker still holds and still counts is adopted, the rest is given up on either side."""
    worker = emit.state.workers.get(command.worker_id)
    twin = worker is not None and worker.incarnation != command.incarnation and worker.state is not WorkerState.LOST
    # Without a session and without work there is nothing that a twin could spoil.
    if worker is not None and twin and (worker.session_id or worker.allocations):
        raise Refused(
            "WORKER_IDENTITY_IN_USE",
            f"a living worker is named {command.worker_id}; choose another name or wait for its lease to end",
            "worker.worker_id",
            worker=command.worker_id,
            incarnation=worker.incarnation,
        )
    emit(
        e.WorkerJoined(
            command.worker_id,
            command.incarnation,
            command.session_id,
            command.view,
            command.runners,
            command.description,
            emit.now,
            command.checks_health,
            command.gives_back_slots,
        )
    )
    worker = emit.state.workers[command.worker_id]
    held = {item.allocation_id: item for item in command.held}
    for allocation_id in sorted(worker.allocations - held.keys()):
        allocation = emit.state.allocations.get(allocation_id)
        if allocation is not None:
            cause = Cause.DONE if allocation.closing and not allocation.live else Cause.HOST_LOST
            drop_allocation(emit, allocation, cause, "the worker came back without it", avoid=False)
    keep, cancel, undelivered = _adopt(emit, worker, held)
    return HelloAnswer(keep, cancel, undelivered, worker.drained)


def _adopt(
    emit: Emitter, worker: Worker, held: dict[str, HeldAllocation]
) -> tuple[tuple[str, ...], tuple[int, ...], tuple[int, ...]]:
    """What of the held is kept, which attempts to cancel, and which never showed there."""
    keep: list[str] = []
    cancel: list[int] = []
    undelivered: list[int] = []
    for allocation_id, item in held.items():
        allocation = emit.state.allocations.get(allocation_id)
        if allocation is None or allocation.worker_id != worker.worker_id:
            cancel.extend(item.attempt_ids)
            continue
        if not allocation.closing or allocation.live:
            keep.append(allocation_id)
        live = {attempt_id for slot in allocation.slots.values() for attempt_id in slot.attempts}
        cancel.extend(attempt_id for attempt_id in item.attempt_ids if attempt_id not in live)
        undelivered.extend(sorted(live.difference(item.attempt_ids)))
        if item.slots:
            free_slots(emit, allocation, _closed_there(allocation, item))
        _resume(emit, allocation, item.wanting_slots)
    return tuple(keep), tuple(cancel), tuple(undelivered)


def _closed_there(allocation: Allocation, item: HeldAllocation) -> tuple[int, ...]:
    """Slots that the worker has given back: it was told to, perhaps by a leader before one that did not know of it."""
    idle = (number for number, slot in allocation.slots.items() if not slot.attempts)
    return tuple(number for number in (*allocation.leaving, *idle) if number not in item.slots)


def _resume(emit: Emitter, allocation: Allocation, asking: tuple[int, ...] = ()) -> None:
    """Slots that wait were told nothing, or the message got lost: they are fed anew."""
    group = emit.state.groups[allocation.group_id]
    feed_allocation(emit, group, allocation, asking)
    settle_group(emit, group)


def attempts_missing(emit: Emitter, command: AttemptsMissing) -> None:
    """Assignments that never arrived: their cases go back to the queue at no cost."""
    _session(emit, command.worker_id, command.session_id)
    for attempt_id in command.attempt_ids:
        attempt = emit.state.attempts.get(attempt_id)
        if attempt is None or attempt.worker_id != command.worker_id:
            continue
        end_attempt(emit, attempt, Cause.NETWORK, "the assignment did not reach the worker", free=True)
        group = emit.state.groups[attempt.group_id]
        # The slot may hold a case back until it hears what follows, and it asked for that before.
        feed_allocation(emit, group, emit.state.allocations[attempt.allocation_id], (attempt.slot,))
        feed_group(emit, group)
        settle_group(emit, group)


def worker_changed(emit: Emitter, command: WorkerChanged) -> None:
    """Take over devices, conditions and taints."""
    _session(emit, command.worker_id, command.session_id)
    emit(e.WorkerUpdated(command.worker_id, command.view, command.description, emit.now))


def worker_silent(emit: Emitter, command: WorkerSilent) -> None:
    """A ready worker becomes suspect; news of an earlier session is ignored."""
    worker = emit.state.workers.get(command.worker_id)
    if worker is not None and worker.session_id == command.session_id and worker.state is WorkerState.READY:
        emit(e.WorkerStateChanged(worker.worker_id, WorkerState.SUSPECT, worker.drained, "silent for half its lease"))


def worker_heard(emit: Emitter, command: WorkerHeard) -> None:
    """A suspect worker is ready again, and its slots get what they waited for."""
    worker = emit.state.workers.get(command.worker_id)
    if worker is not None and worker.session_id == command.session_id and worker.state is WorkerState.SUSPECT:
        emit(e.WorkerStateChanged(worker.worker_id, worker.standing, worker.drained, ""))
        for allocation in _allocations(emit, worker):
            _resume(emit, allocation)


def drain_worker(emit: Emitter, command: DrainWorker) -> None:
    """Keep new work away, or no longer. Tasks that were assigned end normally, then its slots are given back.

    No longer means that a person has decided: neither does a quarantine keep it away.
    """
    worker = emit.state.workers.get(command.worker_id)
    if worker is None:
        raise Refused("WORKER_NOT_FOUND", f"no worker {command.worker_id}", "worker_id", worker=command.worker_id)
    if not command.drain:
        release(emit, worker)
    if worker.drained == command.drain:
        return
    state = worker.state
    if state in {WorkerState.READY, WorkerState.DRAINING, WorkerState.QUARANTINED}:
        state = WorkerState.DRAINING if command.drain or worker.leaving else WorkerState.READY
    emit(e.WorkerStateChanged(worker.worker_id, state, command.drain, command.reason))
    if command.drain:
        _close_all(emit, worker, f"{worker.worker_id} is drained: {command.reason}")


def worker_leaving(emit: Emitter, command: WorkerLeaving) -> None:
    """Keep new work away from a worker that is going, as a drain does, until it comes back as another incarnation."""
    worker = _session(emit, command.worker_id, command.session_id)
    if worker.ending:
        return
    emit(e.WorkerStateChanged(worker.worker_id, WorkerState.DRAINING, False, command.reason))
    _close_all(emit, worker, command.reason)


def _close_all(emit: Emitter, worker: Worker, message: str) -> None:
    for allocation in _allocations(emit, worker):
        if not allocation.closing:
            close(emit, allocation, message)


def _allocations(emit: Emitter, worker: Worker) -> list[Allocation]:
    """What the worker holds now, in the order of the ids."""
    return [emit.state.allocations[allocation_id] for allocation_id in sorted(worker.allocations)]


def _session(emit: Emitter, worker_id: str, session_id: str) -> Worker:
    worker = emit.state.workers.get(worker_id)
    if worker is None:
        raise Refused("WORKER_NOT_FOUND", f"no worker {worker_id}", "worker_id", worker=worker_id)
    if worker.session_id != session_id:
        raise Refused(
            "SESSION_REPLACED",
            f"worker {worker_id} has another session",
            worker=worker_id,
            incarnation=worker.incarnation,
        )
    return worker
