"""Committed events as orders, by worker."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable

from crossfleet.coordinator.convert import allocations, orders
from crossfleet.coordinator.convert.allocations import Specs
from crossfleet.coordinator.core import events as facts
from crossfleet.coordinator.core.last_cases import CopyAssigned, CopyEnded, SlotsGivenBack
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.outcomes import Cause, WorkerState
from crossfleet.coordinator.core.priority_class import AllocationPreempted

Orders = dict[str, list[orders.Message]]

ByNumber = Callable[[str], Container[str]]
"""The runners of a worker, by its name, that need no ids of the cases that a run names."""


def route(
    state: State, events: Iterable[facts.Event], specs: Specs, by_number: ByNumber, told_to_close: set[str]
) -> Orders:
    """The orders that follow from a committed batch. `state` is the state right after it.

    What the batch itself undid again (an allocation that is gone) is left out, and so are allocations that are in
    `told_to_close`: a session hears that once, and another one as it begins.
    """
    found: Orders = {}
    assigns: dict[str, orders.Message] = {}
    closing: dict[str, None] = {}
    groups: dict[str, None] = {}
    for event in events:
        match event:
            case facts.TasksAssigned():
                allocation = state.allocations.get(event.allocation_id)
                if allocation is None:
                    continue
                earlier = assigns.get(event.allocation_id)
                if earlier is None:
                    earlier = assigns[event.allocation_id] = orders.assign(event.allocation_id)
                    found.setdefault(event.worker_id, []).append(earlier)
                allocations.add_tasks(state, earlier, allocation, event.tasks)
            case facts.SlotsReleased():
                assigns.pop(event.allocation_id, None)  # what is assigned later must also be told later
                order = orders.no_more_tasks(event.allocation_id, event.slots)
                found.setdefault(event.worker_id, []).append(order)
            case facts.AllocationOpened():
                allocation = state.allocations.get(event.allocation_id)
                if allocation is not None:
                    order = allocations.open_allocation(state, allocation, specs, by_number(event.worker_id))
                    found.setdefault(event.worker_id, []).append(order)
            case AllocationPreempted():
                _tell(found, event.worker_id, orders.preempt_notice(event.allocation_id, event.seconds))
            case SlotsGivenBack() | CopyAssigned() | CopyEnded():
                _tell_last(state, event, found, groups)
            case facts.AllocationClosing():
                closing[event.allocation_id] = None
            case facts.AllocationClosed():
                told_to_close.discard(event.allocation_id)
            case facts.AttemptEnded():
                groups[event.group_id] = None
                if event.cause is Cause.CANCELLED and event.attempt_id in state.revoked:
                    _tell(found, state.revoked[event.attempt_id], orders.cancel((event.attempt_id,)))
            case facts.AttemptsRevoked():
                found.setdefault(event.worker_id, []).append(orders.cancel(event.attempt_ids))
                run = state.runs.get(event.run_id)
                closing.update(dict.fromkeys(sorted(run.allocations) if run is not None else ()))
            case facts.WorkerStateChanged() if event.state == WorkerState.DRAINING:
                found.setdefault(event.worker_id, []).append(orders.drain(event.cause))
            case facts.HealthChanged() if event.health.asks:
                found.setdefault(event.worker_id, []).append(orders.check_health(event.device_id, event.health))
            case _:
                pass
    for group_id in groups:
        group = state.groups.get(group_id)
        held = group.allocations if group is not None else ()
        closing.update(dict.fromkeys(sorted(one for one in held if state.allocations[one].closing)))
    _tell_to_close(state, closing, told_to_close, found)
    return found


def _tell_to_close(state: State, closing: Iterable[str], told: set[str], found: Orders) -> None:
    """A worker that is told to close cancels what it still executes."""
    for allocation_id in closing:
        allocation = state.allocations.get(allocation_id)
        if allocation is not None and allocation.closing and not allocation.live and allocation_id not in told:
            told.add(allocation_id)
            _tell(found, allocation.worker_id, orders.close(allocation_id))


def _tell_last(
    state: State, event: SlotsGivenBack | CopyAssigned | CopyEnded, found: Orders, groups: dict[str, None]
) -> None:
    """What the last cases of a run bring about: slots that go singly, second executions."""
    if isinstance(event, CopyEnded):
        groups[event.group_id] = None
        if event.revoked:
            _tell(found, event.worker_id, orders.cancel((event.attempt_id,)))
        return
    allocation = state.allocations.get(event.allocation_id)
    if allocation is None:
        return
    if isinstance(event, CopyAssigned):
        order = orders.assign(event.allocation_id)
        numbers = (event.attempt_id, event.task_id, event.slot)
        task = facts.AssignedTask(*numbers, (event.case_index,), last=True)
        allocations.add_tasks(state, order, allocation, (task,))
        _tell(found, event.worker_id, order)
    elif not event.gone:
        _tell(found, event.worker_id, orders.close_slots(event.allocation_id, event.slots))


def _tell(found: Orders, worker_id: str, order: orders.Message) -> None:
    found.setdefault(worker_id, []).append(order)
