"""The task by which a host that was out shows that it is well: one of the queue, at no cost to its run."""

from __future__ import annotations

from dataclasses import replace

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core import health, view
from crossfleet.coordinator.core.alternatives import note_place
from crossfleet.coordinator.core.dispatching import feed_group
from crossfleet.coordinator.core.emitter import Emitter
from crossfleet.coordinator.core.grouping import Grouping
from crossfleet.coordinator.core.health import Answer, CarePolicy, Health
from crossfleet.coordinator.core.limits import settle_limits
from crossfleet.coordinator.core.model import Allocation, Group, Worker
from crossfleet.coordinator.core.outcomes import Cause
from crossfleet.coordinator.core.places import PortionsTaken
from crossfleet.coordinator.core.reserving import kept_from
from crossfleet.coordinator.core.retry import fails_an_allocation
from crossfleet.coordinator.core.seeking import note_models
from crossfleet.coordinator.core.settling import close
from crossfleet.matching.fit import fit
from crossfleet.matching.free import Fit, Free, slot_millicores

_MOST_LOOKED_AT = 256


def begin(emit: Emitter, worker: Worker, device_id: str, known: Health, policy: CarePolicy) -> Health:
    """Put one task on the host. Where none waits, or for a device, one more test stands for it."""
    found = None if device_id else _suitable(emit, worker)
    if found is None:
        return health.without_work(known, emit.now, policy)
    group, fitting = found
    if fitting is None:
        # What was running there has not ended yet.
        patient = emit.now < known.until + policy.canary_seconds
        return known if patient else health.without_work(known, emit.now, policy)
    allocation_id = _open(emit, worker, group, fitting)
    return health.canary_begun(known, allocation_id, emit.now, policy)


def ended(emit: Emitter, allocation: Allocation, cause: Cause, message: str) -> None:
    """A canary was given back, or is gone: its worker's health says what it showed."""
    worker = emit.state.workers.get(allocation.worker_id)
    known = worker.health.get("") if worker is not None else None
    if worker is None or known is None or known.allocation != allocation.allocation_id or known.answer:
        return
    if allocation.broken or fails_an_allocation(cause):
        answer, report = Answer.BAD, f"its canary failed: {cause.name.lower()} {message}".strip()
    elif allocation.proved:
        answer, report = Answer.GOOD, "its canary ended as it should"
    else:
        answer, report = Answer.OPEN, "its canary had nothing to do"
    emit(e.HealthChanged(worker.worker_id, "", health.answered(known, answer, report)))


def give_back(emit: Emitter, allocation_id: str) -> None:
    """The canary is waited for no more."""
    allocation = emit.state.allocations.get(allocation_id)
    if allocation is not None and not allocation.closing:
        close(emit, allocation, "its worker is no longer tried out")


def _suitable(emit: Emitter, worker: Worker) -> tuple[Group, Fit | None] | None:
    """A group with cases that wait, and where its task fits; no fit: as soon as there is room."""
    state = emit.state
    free = view.free_of(state, worker)
    waiting = None
    for group in list(state.groups.values())[:_MOST_LOOKED_AT]:
        project = state.runs[group.run_id].project
        if not _may_be_tried(emit, group) or kept_from(state, worker.worker_id, project):
            continue
        request = replace(group.target.request, slots_min=1)
        if not isinstance(fit(request, worker.view, Free.whole(worker.view), state.selectors), Fit):
            continue
        fitting = fit(request, worker.view, free, state.selectors, most=1)
        if isinstance(fitting, Fit):
            return group, fitting
        waiting = waiting or (group, None)
    return waiting


def _may_be_tried(emit: Emitter, group: Group) -> bool:
    """Its cases are known and may run alone anywhere: what a doubtful host enumerates is not to be believed."""
    request = group.target.request
    alone = request.exclusive or request.slots_min > 1 or request.gang > 1 or group.measures
    whole = emit.state.runs[group.run_id].policy.grouping is not Grouping.NONE
    return (
        group.collected
        and not alone
        and not whole
        and not group.sought
        and group.queue.shareable > 0
        and view.wanted_slots(emit.state, group) > 0
    )


def _open(emit: Emitter, worker: Worker, group: Group, fitting: Fit) -> str:
    taken = {number for one in worker.allocations for number in emit.state.allocations[one].held}
    slot = next(number for number in range(worker.view.slots_total) if number not in taken)
    allocation_id = f"a{emit.state.next_allocation}"
    cores = slot_millicores(group.target.request, worker.view) / 1000
    devices = fitting.devices or ((),)
    emit(
        e.AllocationOpened(
            group.run_id, group.group_id, allocation_id, worker.worker_id, (slot,), devices, cores, emit.now
        )
    )
    if fitting.taken:
        emit(PortionsTaken(group.run_id, allocation_id, fitting.portions))
    emit(e.CanaryOpened(group.run_id, allocation_id))
    note_place(emit, group, worker, allocation_id)
    note_models(emit, group, worker, allocation_id)
    settle_limits(emit)
    if group.given:
        emit(e.AllocationReady(group.run_id, allocation_id))
        feed_group(emit, group)
    return allocation_id
