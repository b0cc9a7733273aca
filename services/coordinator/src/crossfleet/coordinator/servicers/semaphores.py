"""Semaphores: what there is of them, who holds them, and how that is changed."""

from __future__ import annotations

from collections import Counter

from crossfleet.api.coordinator.v1 import admin_service_pb2 as admin_pb2
from crossfleet.coordinator.convert.checks import Checks
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.semaphores import in_line
from crossfleet.matching.request import MAX_SEMAPHORE


def check_semaphore(request: admin_pb2.SetSemaphoreRequest) -> None:
    """Raises InvalidArgument for a name or a capacity that cannot be."""
    checks = Checks()
    checks.name(request.name, "name")
    checks.require(0 <= request.capacity <= MAX_SEMAPHORE, "capacity", f"0 to {MAX_SEMAPHORE}")
    checks.finish("the semaphore")


def semaphore_messages(state: State) -> list[admin_pb2.Semaphore]:
    """All, by name."""
    return [_message(state, name) for name in sorted(state.semaphores)]


def _message(state: State, name: str) -> admin_pb2.Semaphore:
    semaphore = state.semaphores[name]
    message = admin_pb2.Semaphore(name=name, capacity=semaphore.capacity, held=semaphore.held)
    held: Counter[str] = Counter()
    for allocation in state.allocations.values():
        each = dict(allocation.request.semaphores).get(name, 0)
        if each:
            held[allocation.group_id] += each * len(allocation.held)
    for group_id, amount in held.items():
        message.holders.add(group_id=group_id, run_id=state.groups[group_id].run_id, held=amount)
    message.waiting_group_ids.extend(one.group_id for one in in_line(state, name))
    return message
