"""Slots for which their group has nothing more are given back one by one, while others of their allocation are busy.

An allocation that is closing gives back each slot that is idle. Another one does so only where cases cannot need the slot any
more, even if all that run should come back, and where somebody waits who could use it: to begin anew costs a collection.
"""

from __future__ import annotations

from collections.abc import Iterator

from crossfleet.coordinator.core.commands import SlotsClosed
from crossfleet.coordinator.core.emitter import Emitter
from crossfleet.coordinator.core.last_cases import SlotsFreed, SlotsGivenBack
from crossfleet.coordinator.core.limits import settle_limits
from crossfleet.coordinator.core.model import Allocation, Group, Slot, State, Worker
from crossfleet.coordinator.core.outcomes import RunState
from crossfleet.coordinator.core.quota import QUOTA
from crossfleet.coordinator.core.reserving import kept_from
from crossfleet.coordinator.core.semaphores import SEMAPHORE
from crossfleet.coordinator.core.settling import idle_needed
from crossfleet.coordinator.core.view import wanted_slots
from crossfleet.matching.fit import Eligible, eligible

# At the end of a run its slots get idle within moments of each other: then it is given back as a whole.
_IDLE_SECONDS = 1.0
_MOST_WAITING = 500
# Everybody waits meanwhile: who could not be looked at this time is the next.
_MOST_LOOKS = 5_000

Spare = tuple[Allocation, tuple[int, ...]]


def give_back_spare(emit: Emitter) -> None:
    """Time went by: whoever has slots that are of no use to him gives them back."""
    found = [one for group in emit.state.groups.values() for one in spare(emit.state, group, emit.now)]
    closing = [one for one in found if one[0].closing]
    for allocation, numbers in (*closing, *_of_use([one for one in found if not one[0].closing], emit.state, emit.now)):
        names = (allocation.run_id, allocation.group_id, allocation.allocation_id, allocation.worker_id)
        emit(SlotsGivenBack(*names, numbers, gone=False))


def slots_closed(emit: Emitter, command: SlotsClosed) -> None:
    """Slots are free. What is unknown, not the worker's, or was free before is ignored."""
    allocation = emit.state.allocations.get(command.allocation_id)
    if allocation is not None and allocation.worker_id == command.worker_id:
        free_slots(emit, allocation, tuple(number for number in command.slots if number in allocation.leaving))


def free_slots(emit: Emitter, allocation: Allocation, numbers: tuple[int, ...]) -> None:
    """Slots of an allocation are gone; others may have them."""
    if numbers:
        names = (allocation.run_id, allocation.group_id, allocation.allocation_id, allocation.worker_id)
        emit(SlotsGivenBack(*names, numbers, gone=True))
        emit(SlotsFreed(allocation.run_id, allocation.allocation_id, numbers, emit.now))
        settle_limits(emit)


def spare(state: State, group: Group, now: float) -> list[Spare]:
    """The slots of a group that can be of no use to it any more, by allocation; of each allocation one stays."""
    if group.target.request.exclusive:
        return []  # as long as one slot is held, so is the whole worker
    held = [state.allocations[allocation_id] for allocation_id in sorted(group.allocations)]
    found = [(one, tuple(_idle(state, one))) for one in held if one.closing and one.live]
    if _needs_no_more(state, group):
        found += _surplus(state, group, [one for one in held if one.ready and not one.closing], now)
    return [(allocation, numbers) for allocation, numbers in found if numbers]


def _needs_no_more(state: State, group: Group) -> bool:
    """Whether all its cases are with some slot, and idle ones only wait for what may come back."""
    run = state.runs[group.run_id]
    alone = group.target.request.gang > 1 or run.measures
    return not alone and group.collected and not group.over and not group.queue.count and run.state < RunState.STOPPING


def _surplus(state: State, group: Group, working: list[Allocation], now: float) -> list[Spare]:
    """Idle slots beyond one for each case that may come back; kept are those on other hosts than the cases, where there are."""
    idle = sum(not slot.attempts for one in working for slot in one.slots.values())
    kept = idle_needed(state, group)
    found: list[Spare] = []
    for allocation in sorted(working, key=lambda one: not one.live):
        most = max(idle - kept, 0)
        numbers = tuple(
            number for number in _idle(state, allocation) if _rested(allocation, allocation.slots[number], now)
        )[:most]
        idle -= len(numbers)
        found.append((allocation, numbers))
    return found


def _idle(state: State, allocation: Allocation) -> Iterator[int]:
    """Slots without attempts, but for one where no other stays.

    And but for the first where slots have devices: the process that collected may hold those of that one.
    """
    worker = state.workers.get(allocation.worker_id)
    if worker is None or not worker.gives_back_slots:
        return
    left = len(allocation.slots)
    for place, (number, slot) in enumerate(allocation.slots.items()):
        first = not place and any(allocation.device_ids)
        if not slot.attempts and not first and left > 1:
            left -= 1
            yield number


def _rested(allocation: Allocation, slot: Slot, now: float) -> bool:
    return now - max(slot.heard_at, allocation.opened_at) >= _IDLE_SECONDS


def _waiting(state: State) -> list[Group]:
    """Groups that want slots, or for which others hold too much of a semaphore or of their project's quota."""
    found: list[Group] = []
    for group in state.groups.values():
        if not group.over and (group.held_back in {SEMAPHORE, QUOTA} or wanted_slots(state, group)):
            found.append(group)
            if len(found) >= _MOST_WAITING:
                break
    return found


def _of_use(found: list[Spare], state: State, now: float) -> list[Spare]:
    """Those for which somebody waits, of as many as may be looked at: others each time."""
    waiting = _waiting(state) if found else []
    if not waiting:
        return []
    most = max(_MOST_LOOKS // len(waiting), 1)
    first = int(now * 2) * most % len(found) if len(found) > most else 0
    return [one for one in (*found[first:], *found[:first])[:most] if _is_wanted(state, one[0], waiting)]


def _is_wanted(state: State, allocation: Allocation, waiting: list[Group]) -> bool:
    """Whether somebody waits for what a slot of the allocation holds."""
    worker = state.workers[allocation.worker_id]
    scarce = dict(allocation.request.semaphores)
    project = state.runs[allocation.run_id].project

    def gains(group: Group) -> bool:
        if group.held_back == QUOTA:
            return state.runs[group.run_id].project == project
        if group.held_back:
            return any(name in scarce for name, _ in group.target.request.semaphores)
        return _could_use(state, group, worker)

    return any(group.group_id != allocation.group_id and gains(group) for group in waiting)


def _could_use(state: State, group: Group, worker: Worker) -> bool:
    kept = kept_from(state, worker.worker_id, state.runs[group.run_id].project)
    return kept is None and isinstance(eligible(group.target.request, worker.view, state.selectors), Eligible)
