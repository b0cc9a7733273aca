"""Tasks are put on free slots."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from crossfleet.coordinator.core import dispatcher
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.emitter import Emitter
from crossfleet.coordinator.core.model import Allocation, Group, Slot, State
from crossfleet.coordinator.core.outcomes import RerunPlacement, WorkerState
from crossfleet.coordinator.core.outlook import Outlook
from crossfleet.coordinator.core.placement import NO_MODELS, Apart, Elsewhere, Spot, spots
from crossfleet.coordinator.core.settling import close, open_allocations
from crossfleet.coordinator.core.sought import goes_elsewhere

# One that runs and the one that follows, so that no slot waits for a message.
_HELD_BY_SLOT = 2
# Of one group, in one turn: time comes by again.
_FED_BY_TIME = 512


def feed_group(emit: Emitter, group: Group, most: int | None = None) -> None:
    """Cases came (back): every slot that has nothing to do, or asked for more, is fed; or only until about `most` got something."""
    if group.over or not group.queue.count:
        return
    outlook = Outlook(emit.state, group, emit.now)
    before = len(group.attempts)
    for allocation in open_allocations(emit, group):
        hungry = [slot.number for slot in allocation.slots.values() if not slot.attempts or slot.wanting]
        if hungry:
            feed(emit, group, allocation, hungry, outlook)
            if most is not None and len(group.attempts) - before >= most:
                return


def feed_allocation(emit: Emitter, group: Group, allocation: Allocation, asking: Iterable[int] = ()) -> None:
    """Feed the slots of one allocation that ask, wait, or are idle while something is pending."""
    if not allocation.ready:
        return
    numbers = {number for number in asking if number in allocation.slots}
    for slot in allocation.slots.values():
        if slot.wanting or (not slot.attempts and group.queue.count):
            numbers.add(slot.number)
    feed(emit, group, allocation, sorted(numbers))


def feed_asking(emit: Emitter, group: Group) -> None:
    """Attempts were ended from here: slots that asked while they held two are answered."""
    for allocation in [emit.state.allocations[allocation_id] for allocation_id in sorted(group.allocations)]:
        slots = allocation.slots.values()
        asking = [slot.number for slot in slots if slot.wanting and 0 < len(slot.attempts) < _HELD_BY_SLOT]
        if asking:
            feed(emit, group, allocation, asking)


def feed_waiting_for_quiet(emit: Emitter, run_id: str) -> None:
    """An attempt of the run has ended: where something measures, others may have waited for that."""
    if emit.state.runs[run_id].measures:
        for group_id in emit.state.runs[run_id].groups:
            feed_group(emit, emit.state.groups[group_id])


def feed_idle(emit: Emitter) -> None:
    """Time went by: what was left for a slot that should have ended by now, and did not, is for whoever is idle.

    So are cases of a group that only a part of a plan has given slots, where the rest never came, or comes yet.
    """
    for group in list(emit.state.groups.values()):
        if leaves_slots_idle(emit.state, group):
            feed_group(emit, group, _FED_BY_TIME)


def leaves_slots_idle(state: State, group: Group) -> bool:
    """Whether slots of a group have nothing to do although cases are pending."""
    if group.over or not group.queue.count:
        return False
    open_to_work = (
        one for one in map(state.allocations.__getitem__, group.allocations) if one.ready and not one.closing
    )
    return any(not slot.attempts for allocation in open_to_work for slot in allocation.slots.values())


def pending(state: State, slot: Slot) -> int:
    """Cases that a slot has left."""
    return sum(len(state.attempts[attempt_id].pending) for attempt_id in slot.attempts)


def feed(
    emit: Emitter, group: Group, allocation: Allocation, numbers: Iterable[int], outlook: Outlook | None = None
) -> None:
    """Give slots of an allocation their next task, or tell those that wait that nothing follows.

    A slot that holds two attempts already is remembered and fed when one of them ends; one of a worker that is silent,
    when it is heard again; one that has more than a case left and for which nothing is short enough, when it has come to
    its last.
    """
    wanting: list[int] = []
    released: list[int] = []
    open_to_work = allocation.ready and not allocation.closing and not group.over
    worker = emit.state.workers.get(allocation.worker_id)
    silent = worker is not None and worker.state is WorkerState.SUSPECT
    for number in numbers:
        slot = allocation.slots[number]
        if len(slot.attempts) >= _HELD_BY_SLOT or (silent and open_to_work):
            if not slot.wanting and slot.attempts:
                wanting.append(number)
            continue
        piece: tuple[int, ...] = ()
        offered = open_to_work and bool(group.queue.count)
        if offered:
            outlook = outlook or Outlook(emit.state, group, emit.now)
            piece = _piece(emit, group, allocation, slot, outlook)
        if piece and outlook is not None:
            _assign(emit, group, allocation, slot, piece)
            outlook.given(allocation, slot)
        elif slot.attempts and offered and group.estimates_known and pending(emit.state, slot) > 1:
            # Nothing fits now. It is not held up yet, and more will be known when it is.
            if not slot.wanting:
                wanting.append(number)
        elif slot.attempts:
            released.append(number)
    if wanting:
        emit(e.SlotsWanting(allocation.run_id, allocation.allocation_id, tuple(wanting)))
    if released:
        emit(e.SlotsReleased(allocation.run_id, allocation.allocation_id, allocation.worker_id, tuple(released)))


def _piece(emit: Emitter, group: Group, allocation: Allocation, slot: Slot, outlook: Outlook) -> tuple[int, ...]:
    """What a slot gets next. Exclusive cases come last, when nothing else of the run is on their worker; nor comes then."""
    if not emit.state.runs[group.run_id].measures:
        return _cut(emit, group, allocation, slot, outlook)
    beside = [
        other
        for other in map(emit.state.allocations.__getitem__, emit.state.runs[group.run_id].allocations)
        if other.worker_id == allocation.worker_id and other.live
    ]
    if any(_measuring(emit, other) for other in beside):
        return ()
    piece = _cut(emit, group, allocation, slot, outlook)
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


def _cut(emit: Emitter, group: Group, allocation: Allocation, slot: Slot, outlook: Outlook) -> tuple[int, ...]:
    """What a slot is to do next. Where durations are known nothing that would keep it for longer than the others are busy,
    unless it ends soonest here."""
    if goes_elsewhere(emit.state, group, allocation.worker_id, allocation.models.get(slot.number, NO_MODELS)):
        return ()  # one look spares one at each case
    queue, pace = group.queue, slot.pace
    most = 1 if allocation.canary else emit.state.runs[group.run_id].policy.max_cases_per_task
    allowed = _allowed(emit, group, allocation, slot)
    if not group.estimates_known:
        return dispatcher.cut(
            queue, pace.speed, outlook.total, known=False, max_cases=most, allowed=allowed, after=slot.last_case
        )
    piece = dispatcher.cut(
        queue,
        pace.speed,
        outlook.total,
        known=True,
        max_cases=most,
        allowed=allowed,
        after=slot.last_case,
        part=outlook.part(slot),
        trusted=outlook.trusted(slot),
    )
    if piece:
        return piece
    longest = queue.longest_case(allowed=allowed)
    if longest >= 0:
        piece = dispatcher.with_companion(queue, longest, most, allowed)
    else:
        piece = dispatcher.cut(queue, pace.speed, outlook.total, known=True, max_cases=1, allowed=allowed)
    measures = emit.state.runs[group.run_id].measures
    return () if piece and not measures and outlook.ends_sooner_elsewhere(slot, piece) else piece


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
    policy = emit.state.runs[group.run_id].policy

    def others() -> Iterator[Spot]:
        # Another host that was asked for is worth waiting for while it gets ready; another slot is not.
        for one in open_allocations(emit, group):
            if one.ready or policy.rerun_placement is RerunPlacement.HOST:
                yield from spots(one)

    models = allocation.models.get(slot.number, NO_MODELS)
    here = Spot(allocation.worker_id, (slot.number,), models, allocation.local_of)
    return Elsewhere(group, policy, here, others)


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
