"""Brings a worker that introduced itself in line with the state: what to keep, cancel, close, open and assign again."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass

from crossfleet.api.worker.v1 import worker_service_pb2 as worker_pb2
from crossfleet.coordinator.convert import allocations, orders
from crossfleet.coordinator.convert.allocations import Specs
from crossfleet.coordinator.core.commands import HeldAllocation
from crossfleet.coordinator.core.events import AssignedTask
from crossfleet.coordinator.core.model import Allocation, State
from crossfleet.coordinator.core.outcomes import WorkerState


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """`keep` and `cancel` go into the Welcome, `messages` follow it.

    `unsure` are attempts that the worker did not list: its journal, which it sends first, may say that they ended. The
    ones of which it then says nothing never reached it.
    """

    keep: tuple[str, ...]
    cancel: tuple[int, ...]
    messages: tuple[orders.Message, ...]
    unsure: frozenset[int]


def reconcile(
    state: State, worker_id: str, held: Iterable[HeldAllocation], specs: Specs, by_number: Container[str] = ()
) -> Reconciliation:
    """Compares what a worker holds with what the committed state says that it should hold. `by_number` as in `open_allocation`."""
    worker = state.workers[worker_id]
    holding = {one.allocation_id: one for one in held}
    messages: list[orders.Message] = []
    unsure: set[int] = set()
    keep = []
    for allocation_id in sorted(worker.allocations):
        allocation = state.allocations[allocation_id]
        listed = holding.get(allocation_id)
        if listed is None:
            messages += _from_the_beginning(state, allocation, specs, by_number)
            continue
        keep.append(allocation_id)
        known = set(listed.attempt_ids)
        unsure |= {attempt for slot in allocation.slots.values() for attempt in slot.attempts if attempt not in known}
        if allocation.closing and not allocation.live:
            messages.append(orders.close(allocation_id))
        elif allocation.leaving and listed.slots:
            messages.append(orders.close_slots(allocation_id, allocation.leaving))
    cancel = [
        attempt
        for one in holding.values()
        for attempt in one.attempt_ids
        if attempt not in state.attempts or state.attempts[attempt].worker_id != worker_id
    ]
    if worker.state is WorkerState.DRAINING:
        messages.append(orders.drain(worker.cause))
    messages += [orders.check_health(device_id, known) for device_id, known in worker.health.items() if known.asks]
    return Reconciliation(tuple(keep), tuple(cancel), tuple(messages), frozenset(unsure))


def _from_the_beginning(
    state: State, allocation: Allocation, specs: Specs, by_number: Container[str]
) -> list[orders.Message]:
    """An allocation that the worker does not know; what was assigned there goes as it went before."""
    if allocation.closing:
        # Opened and closed again: the worker answers the close of what it does not know.
        return [orders.close(allocation.allocation_id)]
    messages = [allocations.open_allocation(state, allocation, specs, by_number)]
    attempts = [state.attempts[attempt] for slot in allocation.slots.values() for attempt in slot.attempts]
    if attempts:
        tasks = [AssignedTask(one.attempt_id, one.task_id, one.slot, one.cases, last=False) for one in attempts]
        message = orders.assign(allocation.allocation_id)
        allocations.add_tasks(state, message, allocation, tasks)
        messages.append(message)
    return messages


def welcome(epoch: int, lease_seconds: float, acknowledged: int, found: Reconciliation) -> orders.Message:
    """The answer to a Hello."""
    return orders.Message(
        welcome=worker_pb2.Welcome(
            epoch=epoch,
            lease_seconds=lease_seconds,
            keep_allocation_ids=found.keep,
            cancel_attempt_ids=found.cancel,
            acknowledged_sequence=acknowledged,
            answers_heartbeats=True,
        )
    )
