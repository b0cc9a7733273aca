"""How facts about allocations, tasks and attempts change the state."""

from __future__ import annotations

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core import evolve_inputs, evolve_quotas, retry
from crossfleet.coordinator.core.last_cases import CopyAssigned, CopyEnded, SlotsFreed, SlotsGivenBack
from crossfleet.coordinator.core.model import Allocation, Attempt, Group, Slot, State
from crossfleet.coordinator.core.outcomes import Cause, GroupState, RunState
from crossfleet.coordinator.core.pace import Pace
from crossfleet.coordinator.core.places import (
    AllocationPlaced,
    AlternativeSkipped,
    AlternativesOpened,
    PlaceLeft,
    PortionsTaken,
)
from crossfleet.coordinator.core.rerun_facts import SlotModels
from crossfleet.coordinator.core.semaphore import Semaphore, SemaphoreRemoved, SemaphoreSet
from crossfleet.coordinator.core.whereabouts import NONE, Place, leaves_place, offer_again, takes_place

# Ends that the worker may not know of yet: its results may still come.
_NOT_TOLD = frozenset({Cause.HOST_LOST, Cause.NETWORK, Cause.CANCELLED})


def allocation_opened(state: State, event: e.AllocationOpened) -> None:
    """Slots of a worker are held."""
    group = state.groups[event.group_id]
    allocation = Allocation(
        event.allocation_id,
        event.run_id,
        event.group_id,
        event.worker_id,
        group.target.request,
        {number: Slot(number) for number in event.slots},
        event.device_ids,
        event.cpu_cores,
        event.at,
        first_number=state.runs[event.run_id].numbers.take(len(event.slots)),
        takes=group.target.devices,
    )
    if group.estimates_known:
        share_pace(allocation)
    state.allocations[event.allocation_id] = allocation
    group.allocations.add(event.allocation_id)
    group.reckoned.until = 0.0
    group.ever_allocated = True
    group.never = False
    group.never_since = 0.0
    group.waiting_code = group.waiting_text = group.held_back = ""
    group.state = GroupState.RUNNING if group.collected else GroupState.COLLECTING
    _hold(state, allocation, len(allocation.slots))
    run = state.runs[event.run_id]
    run.allocations.add(event.allocation_id)
    if run.state is RunState.QUEUED:
        run.state = RunState.RUNNING
    worker = state.workers.get(event.worker_id)
    if worker is not None:
        worker.allocations.add(event.allocation_id)
    state.next_allocation += 1


def _hold(state: State, allocation: Allocation, slots: int) -> None:
    """So many slots of it hold their part of semaphores and of a quota; fewer than none give it back."""
    evolve_quotas.held(state, allocation, slots)
    for name, each in allocation.request.semaphores:
        state.semaphores.setdefault(name, Semaphore()).held += each * slots


def semaphore_set(state: State, event: SemaphoreSet) -> None:
    """There is so much of it; what is held stays held."""
    state.semaphores.setdefault(event.name, Semaphore()).capacity = event.capacity


def semaphore_removed(state: State, event: SemaphoreRemoved) -> None:
    """It is gone."""
    del state.semaphores[event.name]


def share_pace(allocation: Allocation) -> None:
    """Its slots are measured together, unless each has devices of its own."""
    if not any(allocation.device_ids):
        pace = Pace()
        for slot in allocation.slots.values():
            slot.pace = pace


def allocation_ready(state: State, event: e.AllocationReady) -> None:
    """Its slots take tasks."""
    allocation = state.allocations[event.allocation_id]
    allocation.ready = True
    allocation.mapping = event.mapping
    if event.mapping:
        allocation.local_of = {index: local for local, index in enumerate(event.mapping) if index >= 0}
        state.groups[allocation.group_id].renumbered.add(event.allocation_id)


def runner_described(state: State, event: e.RunnerDescribed) -> None:
    """Nothing is decided on it."""


def allocation_closing(state: State, event: e.AllocationClosing) -> None:
    """It gets nothing new."""
    allocation = state.allocations[event.allocation_id]
    allocation.closing = True
    allocation.cause = event.cause
    state.groups[allocation.group_id].reckoned.until = 0.0


def allocation_closed(state: State, event: e.AllocationClosed) -> None:
    """Its slots are free."""
    allocation = state.allocations.pop(event.allocation_id)
    state.preempted.pop(event.allocation_id, None)
    _hold(state, allocation, -len(allocation.held))
    evolve_quotas.closed(state, allocation)
    worker = state.workers.get(allocation.worker_id)
    if worker is not None:
        worker.allocations.discard(event.allocation_id)
    run = state.runs[event.run_id]
    run.allocations.discard(event.allocation_id)
    run.numbers.give_back(allocation.first_number, allocation.next_number - allocation.first_number)
    group = state.groups[event.group_id]
    group.allocations.discard(event.allocation_id)
    group.renumbered.discard(event.allocation_id)
    group.reckoned.until = 0.0
    evolve_inputs.allocation_closed(group, event.cause)
    if event.avoid:
        group.avoid.add(allocation.worker_id)
    if retry.fails_an_allocation(event.cause) and not allocation.canary:
        group.failures += 1
    if not group.over and not group.allocations:
        group.state = GroupState.WAITING
    if group.whereabouts is not None:
        failed = retry.fails_an_allocation(event.cause) and not allocation.canary
        leaves_place(group.whereabouts, event.allocation_id, failed=failed)
        offer_again(state, state.runs[event.run_id])


def allocation_placed(state: State, event: AllocationPlaced) -> None:
    """What others, and it itself, may get now depends on where it is."""
    where, allocation = state.groups[event.group_id].whereabouts, state.allocations[event.allocation_id]
    if where is not None:
        place = Place(event.host, event.models, event.alternative)
        takes_place(where, event.allocation_id, place, len(allocation.slots))
        if where.asked.ways and event.alternative != NONE:
            evolve_quotas.recounted(state, allocation, where.asked.ways[event.alternative])
        offer_again(state, state.runs[event.run_id])


def portions_taken(state: State, event: PortionsTaken) -> None:
    """Of these devices it leaves something to others."""
    allocation = state.allocations[event.allocation_id]
    allocation.portions = {number: some for number, some in zip(allocation.slots, event.portions, strict=True) if some}


def slot_models(state: State, event: SlotModels) -> None:
    """Where cases fail, it is known on what."""
    models = {number: frozenset(names) for number, names in event.models}
    state.allocations[event.allocation_id].models = models


def place_left(state: State, event: PlaceLeft) -> None:
    """Whoever nothing could satisfy may be satisfied now: it is given its time again."""
    for group in map(state.groups.__getitem__, state.runs[event.run_id].groups):
        if group.never:
            group.never_since = event.at


def alternatives_opened(state: State, event: AlternativesOpened) -> None:
    """The group takes what satisfies one more. A reason to wait stands until another one is told, but its time begins anew."""
    group = state.groups[event.group_id]
    if group.whereabouts is not None:
        group.whereabouts.alternatives, group.whereabouts.since = event.count, event.at
        group.never_since = event.at if group.never else 0.0
        offer_again(state, state.runs[event.run_id])
        evolve_quotas.unsettle(state, state.runs[event.run_id].project)


def alternative_skipped(state: State, event: AlternativeSkipped) -> None:
    """An alternative is not offered, or is again."""
    where = state.groups[event.group_id].whereabouts
    if where is not None:
        where.skipped.pop(event.index, None)
        if event.text:
            where.skipped[event.index] = event.text
        offer_again(state, state.runs[event.run_id])
        evolve_quotas.unsettle(state, state.runs[event.run_id].project)


def slots_given_back(state: State, event: SlotsGivenBack) -> None:
    """Slots work for the group no longer; once they are gone, others may have them."""
    allocation = state.allocations[event.allocation_id]
    state.groups[event.group_id].reckoned.until = 0.0
    for number in event.slots:
        if number in allocation.slots:
            place = list(allocation.slots).index(number)
            del allocation.slots[number]
            allocation.leaving[number] = (*allocation.device_ids[place : place + 1], ())[0]
            allocation.device_ids = (*allocation.device_ids[:place], *allocation.device_ids[place + 1 :])
        if event.gone and number in allocation.leaving:
            _hold(state, allocation, -1)
            del allocation.leaving[number]
            allocation.portions.pop(number, None)
            allocation.gone.add(number)


def slots_freed(state: State, event: SlotsFreed) -> None:
    """It is known for how long they were held."""
    allocation = state.allocations[event.allocation_id]
    allocation.served += len(event.slots) * max(event.at - allocation.opened_at, 0.0)


def _taken_back(state: State, allocation: Allocation, number: int) -> Slot:
    """A slot that was given back gets a task: a leader of a version that gives back none has gone on with it."""
    if number in allocation.gone:
        _hold(state, allocation, 1)
        allocation.gone.discard(number)
    allocation.device_ids = (*allocation.device_ids, allocation.leaving.pop(number, ()))
    slot = allocation.slots[number] = Slot(number)
    return slot


def canary_opened(state: State, event: e.CanaryOpened) -> None:
    """It gets one task."""
    state.allocations[event.allocation_id].canary = True


def case_struck(state: State, event: e.CaseStruck) -> None:
    """A case had a part in a loss, or was there."""
    struck = state.groups[event.group_id].struck
    struck[event.case_index] = (*struck.get(event.case_index, ()), event.worker_id)


def tasks_assigned(state: State, event: e.TasksAssigned) -> None:
    """Cases leave the queue for attempts on slots."""
    group = state.groups[event.group_id]
    queue = group.queue
    for task in event.tasks:
        cases = task.case_indices
        queue.take(cases)
        for index in cases if group.sought else ():
            group.sought.end(index)
        _begin(
            state,
            group,
            Attempt(
                task.attempt_id,
                task.task_id,
                event.run_id,
                event.group_id,
                event.allocation_id,
                event.worker_id,
                task.slot,
                cases,
                set(cases),
                event.at,
                seconds=sum(map(queue.estimates.__getitem__, cases)),
            ),
        )
    run = state.runs[event.run_id]
    if not run.started_at:
        run.started_at = event.at


def _begin(state: State, group: Group, attempt: Attempt) -> None:
    """An attempt is on its slot. The numbers that follow are never smaller: a copy that is kept comes a second time."""
    attempt_id = attempt.attempt_id
    state.attempts[attempt_id] = attempt
    group.attempts.add(attempt_id)
    allocation = state.allocations[attempt.allocation_id]
    slot = allocation.slots.get(attempt.slot) or _taken_back(state, allocation, attempt.slot)
    if not slot.attempts:
        slot.heard_at = attempt.assigned_at
    slot.attempts.append(attempt_id)
    slot.wanting = False
    slot.last_case = attempt.cases[-1]
    allocation.live += 1
    if attempt_id >= state.next_attempt:
        state.next_attempt = attempt_id + 1
        state.next_task = max(state.next_task, attempt.task_id + 1)


def copy_assigned(state: State, event: CopyAssigned) -> None:
    """A case is executed a second time."""
    group = state.groups[event.group_id]
    case = event.case_index
    _begin(
        state,
        group,
        Attempt(
            event.attempt_id,
            event.task_id,
            event.run_id,
            event.group_id,
            event.allocation_id,
            event.worker_id,
            event.slot,
            (case,),
            {case},
            event.at,
            seconds=group.queue.estimates[case],
            copy=True,
        ),
    )
    group.copies[case] = event.attempt_id
    group.copied.add(case)


def copy_ended(state: State, event: CopyEnded) -> None:
    """It is over, or no copy any more."""
    copy = _drop(state, event.attempt_id)
    del state.groups[event.group_id].copies[copy.cases[0]]
    if event.revoked:
        state.remember_revoked(event.attempt_id, event.worker_id)


def slots_wanting(state: State, event: e.SlotsWanting) -> None:
    """Slots are served as soon as there is something, and room."""
    slots = state.allocations[event.allocation_id].slots
    for slot in (slots[number] for number in event.slots if number in slots):
        slot.wanting = True


def slots_released(state: State, event: e.SlotsReleased) -> None:
    """Slots were told that nothing follows."""
    slots = state.allocations[event.allocation_id].slots
    for slot in (slots[number] for number in event.slots if number in slots):
        slot.wanting = False


def attempt_ended(state: State, event: e.AttemptEnded) -> None:
    """An attempt is over; what it left is pending again."""
    attempt = _drop(state, event.attempt_id)
    group = state.groups[event.group_id]
    if retry.fails_an_allocation(event.cause):
        state.allocations[attempt.allocation_id].broken = True
    if event.left:
        if event.charged:
            for index in retry.charged_cases(event.cause, event.left):
                group.tries[index] = group.tries.get(index, 0) + 1
        group.queue.put(event.left)
    if event.cause in _NOT_TOLD:
        state.remember_revoked(event.attempt_id, attempt.worker_id)


def attempts_revoked(state: State, event: e.AttemptsRevoked) -> None:
    """Results of these attempts no longer count. Their cases got a verdict otherwise."""
    for attempt_id in event.attempt_ids:
        _drop(state, attempt_id)
        state.remember_revoked(attempt_id, event.worker_id)


def _drop(state: State, attempt_id: int) -> Attempt:
    attempt = state.attempts.pop(attempt_id)
    state.groups[attempt.group_id].attempts.discard(attempt_id)
    allocation = state.allocations[attempt.allocation_id]
    allocation.live -= 1
    allocation.slots[attempt.slot].attempts.remove(attempt_id)
    return attempt
