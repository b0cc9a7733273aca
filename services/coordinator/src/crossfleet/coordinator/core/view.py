"""What schedulers see: groups as rows, workers and what is free on them. Computed from counters, cheap for each group."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from crossfleet.coordinator.core.dispatcher import SHORTEST_PIECE
from crossfleet.coordinator.core.model import Group, State, Worker
from crossfleet.coordinator.core.outcomes import RunState, WorkerState
from crossfleet.coordinator.core.priority_class import PriorityClass
from crossfleet.coordinator.core.quota import NO_LIMIT, Tally, slots_left
from crossfleet.coordinator.core.sought import request_now, seeks, slots_away
from crossfleet.matching.free import Free
from crossfleet.matching.model import Request

MOST_SLOTS = 4096
MOST_WARM = 16


@dataclass(frozen=True, slots=True)
class GroupView:
    """A task group as schedulers see it; seconds are estimated slot-seconds, `submitted_at` and `deadline` in unix seconds."""

    group_id: str
    run_id: str
    project: str
    target: str
    selector: str
    request: Request
    priority: int
    submitted_at: float
    remaining_cases: int
    collected: bool
    estimated_seconds: float
    wanted_slots: int
    runner: str
    avoid: tuple[str, ...]
    warm: tuple[str, ...]
    deadline: float
    priority_class: PriorityClass | None


def held_slots(state: State, group: Group) -> int:
    """Slots that the group holds and may still use."""
    allocations = (state.allocations[allocation_id] for allocation_id in group.allocations)
    return sum(len(allocation.slots) for allocation in allocations if not allocation.closing)


def wanted_slots(state: State, group: Group) -> int:
    """Slots that the group can still use over and above those that it holds, and may have."""
    run = state.runs[group.run_id]
    if group.over or group.held_back or run.state >= RunState.STOPPING:
        return 0
    useful, spare = useful_slots(state, group), spare_slots(state, group)
    if group.target.request.gang > 1:
        return useful if spare >= useful else 0
    return max(min(useful, spare), 0)


def useful_slots(state: State, group: Group) -> int:
    """Slots that the group could use over and above those that it holds, whatever semaphores and quotas leave."""
    if group.target.request.gang > 1:
        # All at once or none: what it holds is complete.
        return gang_slots(group.target.request) if begins(group) else 0
    most = _most_slots(group.target.request) - held_slots(state, group)
    if not group.collected:
        return max(most, 0)
    # More slots than pieces worth their messages gain nothing; a guess is no reason to hold slots back.
    worth = math.ceil(group.queue.seconds / SHORTEST_PIECE) if group.estimates_known else group.queue.count
    busy = group.queue.shareable + bool(group.queue.exclusive.cases)
    if seeks(group):
        busy = worth = group.queue.count - slots_away(state, group)
    return max(min(most, busy, worth), 0)


def begins(group: Group) -> bool:
    """Whether a group that has no slots needs some now. One whose cases rest needs none yet."""
    return not group.allocations and (group.queue.count > 0 or not group.collected)


Kind = tuple[Request, str, str, frozenset[str]]
"""Request, project, scheduler, and the workers that it avoids."""


def kind(state: State, group: Group) -> Kind:
    """Equal for groups of which one can be placed wherever another can, by whoever decides for both."""
    run = state.runs[group.run_id]
    return request_now(state, group), run.project, run.policy.scheduler, frozenset(group.avoid)


def _most_slots(request: Request) -> int:
    """Beside gates one: cases that are measured execute one after the other."""
    return 1 if request.gates.limits else min(request.slots_max or MOST_SLOTS, MOST_SLOTS)


def spare_slots(state: State, group: Group) -> int:
    """Slots for which there is enough of the semaphores that each holds, and of its project's quota."""
    most = _affordable_slots(state, group.target.request)
    project = state.runs[group.run_id].project
    quota = state.quotas.get(project)
    if quota is None:
        return most
    tally = state.tallies.get(project, Tally())
    return min(most, group.allowance, slots_left(quota, tally, group.target.devices, group.run_id))


def _affordable_slots(state: State, request: Request) -> int:
    """Slots for which there is enough of the semaphores."""
    return min((max(free_units(state, name), 0) // each for name, each in request.semaphores), default=NO_LIMIT)


def free_units(state: State, name: str) -> int:
    """What of a semaphore nobody holds; negative where its capacity was lowered below that."""
    semaphore = state.semaphores.get(name)
    return semaphore.capacity - semaphore.held if semaphore else 0


def least_slots(request: Request) -> int:
    """Slots without which a group that has none cannot begin."""
    return gang_slots(request) if request.gang > 1 else max(request.slots_min, 1)


def gang_slots(request: Request) -> int:
    """Slots of a whole gang."""
    return request.gang * max(request.slots_min, 1)


def group_view(state: State, group: Group) -> GroupView:
    """One row."""
    run = state.runs[group.run_id]
    request = request_now(state, group)
    return GroupView(
        group.group_id,
        group.run_id,
        run.project,
        group.target.name,
        request.selector if request is not group.target.request else group.target.selector,
        request,
        run.priority,
        run.created_at,
        group.queue.count,
        group.collected,
        group.queue.seconds,
        wanted_slots(state, group),
        group.target.request.runner or run.runner,
        tuple(sorted(group.avoid)),
        warm_workers(state, group),
        run.deadline,
        run.policy.priority_class,
    )


def warm_workers(state: State, group: Group) -> tuple[str, ...]:
    """Workers on which the least is to be done before the group's first case, the best first; only some of them."""
    found = (state.workers.get(name) for name in state.warmth.of(group.suite(state.runs[group.run_id]), group.target))
    living = (one.worker_id for one in found if one is not None and one.state is not WorkerState.LOST)
    return tuple(islice(living, MOST_WARM))


def open_groups(state: State) -> list[GroupView]:
    """Groups that may be placed, in the order of submission."""
    return [group_view(state, group) for group in state.groups.values() if not (group.over or group.held_back)]


def free_of(state: State, worker: Worker) -> Free:
    """What of a worker nobody holds. Whoever has another worker of its host for himself holds this one too, and who holds a
    device there holds it here."""
    return free_beside(state, worker, lambda one: free_alone(state, one))


def free_beside(state: State, worker: Worker, alone: Callable[[Worker], Free]) -> Free:
    """The same, given what no allocation on a worker holds."""
    own, neighbours = alone(worker), state.neighbours(worker)
    if not neighbours:
        return own
    there = [(alone(one), one.view) for one in neighbours]
    for free, view in there:
        own = own.less_shown(free, view)
    return own.beside([free for free, _ in there])


def free_alone(state: State, worker: Worker) -> Free:
    """What of a worker no allocation on it holds; closing ones still hold."""
    free = Free.whole(worker.view)
    for allocation_id in worker.allocations:
        allocation = state.allocations[allocation_id]
        devices, portions = allocation.held_devices, allocation.held_portions
        free = free.minus(allocation.request, len(allocation.held), devices, worker.view, portions)
    return free
