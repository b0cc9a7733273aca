"""Priority classes are made and removed; what a scheduler takes back is given back, after the grace of its class."""

from __future__ import annotations

from difflib import get_close_matches

from crossfleet.coordinator.core.dispatching import feed_group
from crossfleet.coordinator.core.emitter import Emitter, Refused
from crossfleet.coordinator.core.model import Allocation
from crossfleet.coordinator.core.outcomes import Cause
from crossfleet.coordinator.core.priority_class import (
    AllocationPreempted,
    PriorityClassRemoved,
    PriorityClassSet,
    RemovePriorityClass,
    SetPriorityClass,
)
from crossfleet.coordinator.core.quoting import quoted
from crossfleet.coordinator.core.settling import close, end_attempt, open_allocations

_MOST_CLASSES = 100
_ALONE, _IN_GANG = "revoked by the scheduler", "its gang was revoked by the scheduler"
REVOKED = frozenset({_ALONE, _IN_GANG})
"""Why an allocation is given back that a scheduler takes back."""


def set_priority_class(emit: Emitter, command: SetPriorityClass) -> None:
    """Make a class, or change one."""
    known, made = emit.state.priority_classes, command.priority_class
    if made.name not in known and len(known) >= _MOST_CLASSES:
        raise Refused(
            "STATE_CONFLICT", f"there are {_MOST_CLASSES} priority classes: remove one", "priority_class.name"
        )
    if known.get(made.name) != made:
        emit(PriorityClassSet(made))


def remove_priority_class(emit: Emitter, command: RemovePriorityClass) -> None:
    """Remove a class."""
    known = emit.state.priority_classes
    if command.name not in known:
        near = get_close_matches(command.name, known, 1)
        mend = f"did you mean {near[0]!r}?" if near else "`crossfleet admin priority list` shows those that there are"
        text = f"no priority class {quoted(command.name)}: {mend}"
        raise Refused("PRIORITY_CLASS_NOT_FOUND", text, "name", priority_class=command.name)
    emit(PriorityClassRemoved(command.name))


def take_back(emit: Emitter, allocation: Allocation) -> None:
    """A scheduler wants an allocation back; of a gang all go. What a class protects stays."""
    group, run = emit.state.groups[allocation.group_id], emit.state.runs[allocation.run_id]
    standing = run.policy.priority_class
    if standing is not None and not standing.preemptible:
        return
    gang = [one for one in open_allocations(emit, group) if one is not allocation and group.target.request.gang > 1]
    for one in (allocation, *gang):
        close(emit, one, _IN_GANG if one in gang else _ALONE)
        if standing is not None and standing.grace is not None and one.live:
            emit(AllocationPreempted(run.run_id, one.allocation_id, one.worker_id, standing.grace, emit.now))


def end_preempted(emit: Emitter) -> None:
    """Time went by: what still executes after its grace is ended, and goes on elsewhere at no cost."""
    for allocation_id in [one for one, until in emit.state.preempted.items() if until <= emit.now]:
        allocation = emit.state.allocations[allocation_id]
        text = f"{allocation.worker_id} was needed for more urgent work"
        left = [attempt_id for slot in allocation.slots.values() for attempt_id in slot.attempts[::-1]]
        for attempt_id in left:
            end_attempt(emit, emit.state.attempts[attempt_id], Cause.PREEMPTED, text)
        if left:
            feed_group(emit, emit.state.groups[allocation.group_id])
