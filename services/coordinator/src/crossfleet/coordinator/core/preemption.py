"""What work gets without waiting for the end of other work: slots that are given back already, and those that its class takes.

Foreseen is what the default scheduler does: a group of a class that preempts has slots of lower classes that allow it, the
least urgent first, on one worker after the other, each once the one before has given back what was taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from crossfleet.coordinator.core.contention import Part, Pool, Situation, pool_of
from crossfleet.coordinator.core.model import Allocation, Group, Run, State
from crossfleet.coordinator.core.preempting import REVOKED
from crossfleet.coordinator.core.priority_class import PriorityClass
from crossfleet.coordinator.core.release import Release
from crossfleet.coordinator.core.remaining import executing
from crossfleet.coordinator.core.sought import request_now
from crossfleet.coordinator.core.view import wanted_slots
from crossfleet.matching.fit import Eligible, eligible
from crossfleet.matching.model import Request

# What comes one after the other comes late: beyond so many steps others are waited for until they end by themselves.
_MOST_STEPS = 64
_NAMED = 3
_MINUTE = 60.0

_Step = Sequence[tuple[Allocation, int]]
"""Allocations of one worker that are taken together, and the slots of a pool that each has."""


def pool_for(
    situation: Situation, request: Request, priority: int, standing: PriorityClass | None, fewest: int
) -> Pool:
    """What a request of a run of that priority and class could get, and when. It begins, or goes on, with `fewest` slots more."""
    state, pool = situation.state, pool_of(situation.state, request)
    told = tuple(_given_back(situation, pool))
    taken: tuple[tuple[Release, ...], ...] = ()
    if standing is not None and standing.preempts and request.gang <= 1:
        steps = [
            (_order(state, step, part), step)
            for part in pool.parts
            for step in _steps(state, part, request, priority, fewest)
        ]
        steps.sort(key=lambda one: one[0])
        taken = tuple(
            tuple(_release(situation, one, slots, _grace(state, one)) for one, slots in step if slots)
            for _, step in steps[:_MOST_STEPS]
        )
    return replace(pool, free=pool.free - sum(one.slots for one in told), told=told, taken=taken)


def being_given_back(state: State, group: Group, now: float) -> str:
    """Whose slots were taken back that a group may use, and until when these have them; empty where there are none.

    For whom they were taken is no fact: told are those of runs that are no more urgent than its own.
    """
    run, found = state.runs[group.run_id], dict[str, tuple[int, float]]()
    if not wanted_slots(state, group):
        return ""
    for worker in state.workers.values():
        held = [one for one in map(state.allocations.__getitem__, worker.allocations) if _taken_for(state, one, run)]
        if held and isinstance(eligible(request_now(state, group), worker.view, state.selectors), Eligible):
            for one in held:
                name = f"{one.run_id} {state.groups[one.group_id].target.name}"
                slots, until = found.get(name, (0, 0.0))
                found[name] = slots + len(one.held), max(until, state.preempted.get(one.allocation_id, math.inf))
    texts = [
        f"{slots} slot{'s' * (slots != 1)} of {name}{_when(until - now)}"
        for name, (slots, until) in sorted(found.items(), key=lambda one: (one[1][1], one[0]))
    ]
    more = [f"and of {len(texts) - _NAMED} more"] if len(texts) > _NAMED else []
    return f"being given back: {', '.join([*texts[:_NAMED], *more])}" if texts else ""


def _taken_for(state: State, one: Allocation, run: Run) -> bool:
    other = state.runs[one.run_id]
    if not one.closing or one.cause not in REVOKED or other is run:
        return False
    return other.priority < run.priority or (other.priority == run.priority and other.project != run.project)


def _when(seconds: float) -> str:
    if seconds == math.inf:
        return " once what executes there has ended"
    left = max(seconds, 0.0)
    return f" within {math.ceil(left)} s" if left < 2 * _MINUTE else f" within {math.ceil(left / _MINUTE)} min"


def _given_back(situation: Situation, pool: Pool) -> Iterator[Release]:
    """What is being given back, and executes something yet."""
    state = situation.state
    for part in pool.parts:
        for one, slots in ((state.allocations[name], slots) for name, slots in part.held.items()):
            if slots and one.closing and one.live and not state.groups[one.group_id].over:
                until = state.preempted.get(one.allocation_id, math.inf)
                yield _release(situation, one, slots, max(until - situation.now, 0.0))


def _release(situation: Situation, one: Allocation, slots: int, limit: float) -> Release:
    underway = executing(situation.state, one, situation.now)
    return Release(one.group_id, slots, len(one.held), tuple(underway), limit)


def _steps(state: State, part: Part, request: Request, priority: int, fewest: int) -> Iterator[_Step]:
    """What is taken of a worker, step by step. A host that is wanted alone is taken as a whole, or not at all."""
    held = [(state.allocations[name], slots) for name, slots in part.held.items()]
    held = [(one, slots) for one, slots in held if not (one.closing or state.groups[one.group_id].over)]
    able = [(one, slots) for one, slots in held if _yields(state, one, priority)]
    if request.exclusive:
        if len(able) == len(held) and any(slots for _, slots in able):
            yield able
        return
    room, taken = part.idle, list[tuple[Allocation, int]]()
    for one, slots in sorted(able, key=lambda pair: _urgency(state, pair[0])):
        taken.append((one, slots))
        room += slots
        if slots and room >= fewest:
            yield taken
            room, taken, fewest = 0, [], 1


def _yields(state: State, one: Allocation, priority: int) -> bool:
    run = state.runs[one.run_id]
    standing = run.policy.priority_class
    return standing is not None and standing.preemptible and run.priority < priority


def _urgency(state: State, one: Allocation) -> tuple[int, float, str]:
    """The smallest is taken first: the least urgent, and of these the youngest."""
    run = state.runs[one.run_id]
    return run.priority, -run.created_at, one.allocation_id


def _order(state: State, taken: _Step, part: Part) -> tuple[int, int, str, str]:
    """Where the least is lost is taken first."""
    last = taken[-1][0]
    slots = sum(len(one.held) for one, _ in taken)
    return state.runs[last.run_id].priority, slots, part.worker_id, last.allocation_id


def _grace(state: State, one: Allocation) -> float:
    standing = state.runs[one.run_id].policy.priority_class
    return math.inf if standing is None or standing.grace is None else standing.grace
