"""What a scheduler sees of the state, and its plans as commands."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.api.types.v1 import device_pb2
from crossfleet.coordinator.convert.fleet import request_message, worker_message
from crossfleet.coordinator.core import view
from crossfleet.coordinator.core.commands import ApplyPlan, ProposedAllocation, WaitingReason
from crossfleet.coordinator.core.model import Allocation, Group, State, Worker
from crossfleet.coordinator.core.outcomes import GroupState, RunState, WorkerState
from crossfleet.coordinator.core.reserving import keeper
from crossfleet.coordinator.core.usage import ProjectUse
from crossfleet.matching.messages import portion_messages
from crossfleet.matching.model import QUARANTINED, RESERVED

_PREEMPTIONS = {True: scheduler_pb2.PREEMPTION_ALLOWED, False: scheduler_pb2.PREEMPTION_NEVER}
# A plan is judged in one turn of the loop, while everybody else waits.
MOST_ITEMS = 5_000
Mine = Callable[[Group], bool]
"""Whether a scheduler decides for a group."""
Put = Callable[..., Any]
"""`put(kind, name, make, *of)` answers the row `make(*of)` of a `worker`, `group` or `allocation`; None leaves it out."""
_CODE_CHARACTERS, _TEXT_CHARACTERS = 64, 1000


def worker(state: State, one: Worker) -> device_pb2.Worker:
    """A worker as schedulers see it: to those that know nothing of hidden devices they look quarantined."""
    message = described(state, one)
    for device in message.devices:
        if device.override.hidden and QUARANTINED not in device.conditions:
            device.conditions.append(QUARANTINED)
    return message


def described(state: State, one: Worker) -> device_pb2.Worker:
    """A worker as it stands; one that is kept for a project has a taint which only that project's groups tolerate."""
    message = worker_message(one.description, one.state, one.health, one.overrides)
    reserved = keeper(state, one.worker_id)
    if reserved is not None:
        message.taints.append(f"{RESERVED}{reserved.project}")
    return message


def visible(one: Worker | None) -> bool:
    """Whether schedulers see a worker."""
    return one is not None and one.state is not WorkerState.LOST


def open_group(state: State, group: Group | None) -> bool:
    """Whether a group has work left that may be placed."""
    return (
        group is not None
        and group.state < GroupState.FINISHED
        and not group.held_back
        and state.runs[group.run_id].state < RunState.STOPPING
    )


def group(state: State, one: Group) -> scheduler_pb2.TaskGroup:
    """A group with what it can still use."""
    row = view.group_view(state, one)
    request = request_message(row.request)
    if any(reserved.project == row.project for reserved in state.reservations.values()):
        request.tolerations.append(f"{RESERVED}{row.project}")
    standing = row.priority_class
    return scheduler_pb2.TaskGroup(
        group_id=row.group_id,
        run_id=row.run_id,
        project=row.project,
        target=row.target,
        selector=row.selector,
        request=request,
        priority=row.priority,
        submitted_unix_seconds=row.submitted_at,
        remaining_cases=row.remaining_cases,
        collected=row.collected,
        estimated_seconds=row.estimated_seconds,
        wanted_slots=row.wanted_slots,
        runner=row.runner,
        avoid_worker_ids=row.avoid,
        warm_worker_ids=row.warm,
        deadline_unix_seconds=row.deadline if math.isfinite(row.deadline) else 0.0,
        preempts=standing is not None and standing.preempts,
        preemption=scheduler_pb2.PREEMPTION_UNSPECIFIED if standing is None else _PREEMPTIONS[standing.preemptible],
    )


def allocation(one: Allocation) -> scheduler_pb2.Allocation:
    """An allocation that holds slots."""
    return scheduler_pb2.Allocation(
        allocation_id=one.allocation_id,
        group_id=one.group_id,
        worker_id=one.worker_id,
        slots=len(one.held),
        device_ids=one.held_devices,
        closing=one.closing,
        portions=portion_messages(one.held_portions),
    )


def share(one: ProjectUse) -> scheduler_pb2.ProjectShare:
    """What a project is to have and had."""
    return scheduler_pb2.ProjectShare(project=one.project, weight=one.weight, used=one.used)


def _row(state: State, one: Group | None, mine: Mine | None) -> scheduler_pb2.TaskGroup | None:
    """A group as its scheduler sees it. Another one sees that it holds slots, if it does, and nothing that it wants."""
    if one is None or not open_group(state, one):
        return None
    if mine is None or mine(one):
        return group(state, one)
    if not one.allocations:
        return None
    row = group(state, one)
    row.wanted_slots = 0
    return row


def plainly(kind: str, name: str, make: Callable[..., Any], *of: Any) -> Any:
    """The row; what it raises concerns whoever asks for it."""
    return make(*of)


def snapshot(state: State, mine: Mine | None = None, put: Put = plainly) -> scheduler_pb2.Snapshot:
    """Everything as it is now. `mine`: for which groups the scheduler decides; None: for all."""
    workers = (put("worker", name, worker, state, one) for name, one in state.workers.items() if visible(one))
    groups = (put("group", name, _row, state, one, mine) for name, one in state.groups.items())
    allocations = (put("allocation", name, allocation, one) for name, one in state.allocations.items())
    return scheduler_pb2.Snapshot(
        workers=[row for row in workers if row is not None],
        groups=[row for row in groups if row is not None],
        allocations=[row for row in allocations if row is not None],
    )


def delta(
    state: State,
    workers: Iterable[str],
    groups: Iterable[str],
    allocations: Iterable[str],
    mine: Mine | None = None,
    put: Put = plainly,
) -> scheduler_pb2.Delta:
    """These workers, groups and allocations as they are now, or that they are gone. `mine` as in `snapshot`."""
    message = scheduler_pb2.Delta()
    for worker_id in workers:
        seen = state.workers.get(worker_id)
        row = put("worker", worker_id, worker, state, seen) if visible(seen) else None
        if row is not None:
            message.workers.append(row)
        else:
            message.removed_worker_ids.append(worker_id)
    for group_id in groups:
        row = put("group", group_id, _row, state, state.groups.get(group_id), mine)
        if row is not None:
            message.groups.append(row)
        else:
            message.removed_group_ids.append(group_id)
    for allocation_id in allocations:
        held = state.allocations.get(allocation_id)
        row = put("allocation", allocation_id, allocation, held) if held is not None else None
        if row is not None:
            message.allocations.append(row)
        else:
            message.removed_allocation_ids.append(allocation_id)
    return message


def plan(message: scheduler_pb2.ScheduleResponse) -> ApplyPlan:
    """A plan as a command: at most MOST_ITEMS of each list, and texts as short as people read them.

    What is left out is proposed again on the next revision, if it still holds then.
    """
    never = scheduler_pb2.WAITING_KIND_NEVER
    return ApplyPlan(
        plan_id=message.plan_id,
        allocate=tuple(
            ProposedAllocation(one.group_id, one.worker_id, one.slots, tuple(one.device_ids), one.gang_id)
            for one in message.allocate[:MOST_ITEMS]
        ),
        revoke=tuple(message.revoke_allocation_ids[:MOST_ITEMS]),
        waiting=tuple(
            WaitingReason(one.group_id, one.kind == never, one.code[:_CODE_CHARACTERS], one.text[:_TEXT_CHARACTERS])
            for one in message.waiting[:MOST_ITEMS]
        ),
    )
