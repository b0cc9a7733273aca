"""Tasks are put on free slots."""

from __future__ import annotations

from collections.abc import Container, Iterable

from crossfleet.coordinator.core import dispatcher
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.emitter import Emitter
from crossfleet.coordinator.core.model import Allocation, Group, Slot
from crossfleet.coordinator.core.outcomes import RerunPlacement, WorkerState
from crossfleet.coordinator.core.placement import Apart, Elsewhere, Place
from crossfleet.coordinator.core.settling import close, open_allocations

# One that runs and the one that follows, so that no slot waits for a message.
_HELD_BY_SLOT = 2


def feed_group(emit: Emitter, group: Group) -> None:
    """Cases came (back): every slot that has nothing to do, or asked for more, is fed."""
    if group.over or not group.queue.count:
        return
    for allocation in open_allocations(emit, group):
        hungry = [slot.number for slot in allocation.slots.values() if not slot.attempts or slot.wanting]
        if hungry:
            feed(emit, group, allocation, hungry)


def feed_allocation(emit: Emitter, group: Group, allocation: Allocation, asking: Iterable[int] = ()) -> None:
    """Feed the slots of one allocation that ask, wait, or are idle while something is pending."""
    if not allocation.ready:
        return
    numbers = {number for number in asking if number in allocation.slots}
    for slot in allocation.slots.values():
        if slot.wanting or (not slot.attempts and group.queue.count):
            numbers.add(slot.number)
    feed(emit, group, allocation, sorted(numbers))


def feed_waiting_for_quiet(emit: Emitter, run_id: str) -> None:
    """An attempt of the run has ended: where something measures, others may have waited for that."""
    if emit.state.runs[run_id].measures:
        for group_id in emit.state.runs[run_id].groups:
            feed_group(emit, emit.state.groups[group_id])


def feed(emit: Emitter, group: Group, allocation: Allocation, numbers: Iterable[int]) -> None:
    """Give slots of an allocation their next task, or tell those that wait that nothing follows.

    A slot that holds two attempts already is remembered and fed when one of them ends; one of a worker that is silent,
    when it is heard again.
    """
    wanting: list[int] = []
    released: list[int] = []
    open_to_work = allocation.ready and not allocation.closing and not group.over
    worker = emit.state.workers.get(allocation.worker_id)
    silent = worker is not None and worker.state is WorkerState.SUSPECT
    total = -1.0
    for number in numbers:
        slot = allocation.slots[number]
        if len(slot.attempts) >= _HELD_BY_SLOT or (silent and open_to_work):
            if not slot.wanting and slot.attempts:
                wanting.append(number)
            continue
        piece: tuple[int, ...] = ()
        if open_to_work and group.queue.count:
            if total < 0:
                total = total_speed(emit, group)
            piece = _piece(emit, group, allocation, slot, total)
        if piece:
            _assign(emit, group, allocation, slot, piece)
        elif slot.attempts:
            released.append(number)
    if wanting:
        emit(e.SlotsWanting(allocation.run_id, allocation.allocation_id, tuple(wanting)))
    if released:
        emit(e.SlotsReleased(allocation.run_id, allocation.allocation_id, allocation.worker_id, tuple(released)))


def total_speed(emit: Emitter, group: Group) -> float:
    """Sum of the speeds of all slots that work for the group, or soon will."""
    total = 0.0
    for allocation_id in group.allocations:
        allocation = emit.state.allocations[allocation_id]
        if not allocation.closing:
            total += sum(dispatcher.speed(slot.estimated, slot.actual) for slot in allocation.slots.values())
    return total


def _piece(emit: Emitter, group: Group, allocation: Allocation, slot: Slot, total: float) -> tuple[int, ...]:
    """What a slot gets next. Exclusive cases come last, when nothing else of the run is on their worker; nor comes then."""
    if not emit.state.runs[group.run_id].measures:
        return _cut(emit, group, allocation, slot, total)
    beside = [
        other
        for other in map(emit.state.allocations.__getitem__, emit.state.runs[group.run_id].allocations)
        if other.worker_id == allocation.worker_id and other.live
    ]
    if any(_measuring(emit, other) for other in beside):
        return ()
    piece = _cut(emit, group, allocation, slot, total)
    if piece or group.attempts or beside:
        return piece
    # What else is left does not exist on this worker: nobody would wait for anything here.
    return dispatcher.cut_exclusive(group.queue, allocation.local_of)


def _measuring(emit: Emitter, allocation: Allocation) -> bool:
    """Whether a live attempt of the allocation has exclusive cases."""
    group = emit.state.groups[allocation.group_id]
    return group.measures and any(
        group.cases[emit.state.attempts[attempt_id].cases[0]].exclusive
        for slot in allocation.slots.values()
        for attempt_id in slot.attempts
    )


def _cut(emit: Emitter, group: Group, allocation: Allocation, slot: Slot, total: float) -> tuple[int, ...]:
    return dispatcher.cut(
        group.queue,
        dispatcher.speed(slot.estimated, slot.actual),
        total,
        known=group.estimates_known,
        max_cases=1 if allocation.canary else emit.state.runs[group.run_id].policy.max_cases_per_task,
        allowed=_allowed(emit, group, allocation, slot),
        after=slot.last_case,
    )


def _allowed(emit: Emitter, group: Group, allocation: Allocation, slot: Slot) -> Container[int] | None:
    """The cases that a slot may have; None for all."""
    # A rerun has a place of its own, and so has what a grouping keeps together.
    apart = {
        one: lost for one, lost in group.struck.items() if one not in group.earlier and not group.queue.is_bound(one)
    }
    if apart:
        open_on = [(one.worker_id, one.local_of) for one in open_allocations(emit, group) if one.ready]
        return Apart(apart, open_on, allocation.worker_id, _reruns_allowed(emit, group, allocation, slot))
    return _reruns_allowed(emit, group, allocation, slot)


def _reruns_allowed(emit: Emitter, group: Group, allocation: Allocation, slot: Slot) -> Container[int] | None:
    if not group.earlier:
        return allocation.local_of
    placement = emit.state.runs[group.run_id].policy.rerun_placement
    # Another host that was asked for is worth waiting for while it gets ready; another slot is not.
    places = [
        (Place(one.worker_id, number), one.local_of)
        for one in open_allocations(emit, group)
        if one.ready or placement is RerunPlacement.HOST
        for number in one.slots
    ]
    here = Place(allocation.worker_id, slot.number)
    return Elsewhere(placement, group.earlier, places, here, allocation.local_of, group.queue.is_bound)


def _assign(emit: Emitter, group: Group, allocation: Allocation, slot: Slot, piece: tuple[int, ...]) -> None:
    state = emit.state
    exclusive = group.measures and group.cases[piece[0]].exclusive
    last = len(piece) == (group.queue.count if exclusive else group.queue.shareable)
    task = e.AssignedTask(state.next_attempt, state.next_task, slot.number, piece, last or allocation.canary)
    emit(
        e.TasksAssigned(group.run_id, group.group_id, allocation.allocation_id, allocation.worker_id, (task,), emit.now)
    )
    if allocation.canary:
        close(emit, allocation, "a canary gets one task")
