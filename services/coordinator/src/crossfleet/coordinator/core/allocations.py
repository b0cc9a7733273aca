"""Allocations end: on their worker, with their worker, or because they could not begin."""

from __future__ import annotations

from crossfleet.coordinator.core import canary
from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.artifact import ArtifactsLost, ArtifactsWaiting
from crossfleet.coordinator.core.blame import blame
from crossfleet.coordinator.core.commands import AllocationEnded
from crossfleet.coordinator.core.dispatching import feed_group, feed_waiting_for_quiet
from crossfleet.coordinator.core.emitter import Emitter
from crossfleet.coordinator.core.failures import RETRIED
from crossfleet.coordinator.core.inputs import disprove_inputs
from crossfleet.coordinator.core.limits import settle_limits
from crossfleet.coordinator.core.model import Allocation, Group
from crossfleet.coordinator.core.outcomes import Cause, Ending
from crossfleet.coordinator.core.places import PlaceLeft
from crossfleet.coordinator.core.settling import (
    close_gang,
    end_attempt,
    fail_group,
    open_allocations,
    release_dependents,
    settle_group,
    useless,
)
from crossfleet.matching.model import BROKEN


def allocation_ended(emit: Emitter, worker_id: str, item: AllocationEnded) -> str:
    """A worker reports the end of an allocation; returns the group concerned, empty when it is over already."""
    allocation = emit.state.allocations.get(item.allocation_id)
    if allocation is None or allocation.worker_id != worker_id:
        return ""
    group = emit.state.groups[allocation.group_id]
    if item.waiting_artifacts:
        emit(ArtifactsWaiting(group.run_id, group.group_id, worker_id, item.waiting_artifacts, emit.now))
    if item.lost_artifacts and group.product is not None:
        emit(ArtifactsLost(group.run_id, group.group_id, item.lost_artifacts))
    if item.ending is Ending.SESSION_FAILED and not group.ending:
        emit(e.SuiteEnded(group.run_id, group.group_id, item.ending, item.message))
        disprove_inputs(emit, group)
    cause = item.cause
    if cause in {Cause.DONE, Cause.UNSPECIFIED, Cause.CANCELLED} and not allocation.closing:
        # It went away by itself while it was wanted.
        cause = Cause.ENVIRONMENT
    message = item.message
    if cause in RETRIED and cause is not Cause.HOST_LOST and not allocation.closing:
        # Where it has shown something on any host, that another cannot begin is no fault of its own.
        begun = group.open_cases < len(group.outcomes)
        blame(emit, worker_id, cause, () if begun else (group.group_id,), _doubtful(emit, allocation))
    lacks = cause in {Cause.DONE, Cause.UNSPECIFIED} and group.queue.count and useless(group, allocation)
    if lacks and not allocation.canary:
        # Counted as a failure, so that a group whose cases exist on no worker comes to an end.
        cause, message = Cause.ENVIRONMENT, allocation.cause
    drop_allocation(emit, allocation, cause, message, avoid=cause in RETRIED)
    if group.over or allocation.canary:
        return group.group_id
    if cause is Cause.COLLECTION:
        ending = item.ending or Ending.RUNNER_ENDED
        text = item.message or "the suite could not be collected"
        fail_group(emit, group, text, infrastructure=False, ending=ending)
    else:
        fail_if_spent(emit, group, cause, message)
    return group.group_id


def _doubtful(emit: Emitter, allocation: Allocation) -> tuple[str, ...]:
    """The devices that an allocation failed with: those that its worker calls lost or broken, else those of its first slot."""
    held = {device_id for ids in allocation.device_ids for device_id in ids}
    devices = emit.state.workers[allocation.worker_id].view.devices
    broken = tuple(one.id for one in devices if one.id in held and BROKEN.intersection(one.conditions))
    return broken or allocation.device_ids[0]


def drop_allocation(
    emit: Emitter, allocation: Allocation, cause: Cause, message: str, *, avoid: bool, free: bool = False
) -> None:
    """End an allocation and what still ran in it; its cases go elsewhere. `free`: at no cost of tries."""
    group = emit.state.groups[allocation.group_id]
    reason = Cause.ENVIRONMENT if cause in {Cause.DONE, Cause.UNSPECIFIED} else cause
    for slot in allocation.slots.values():
        # The one that is executing last: of the others it must show that they were not.
        for attempt_id in slot.attempts[::-1]:
            end_attempt(emit, emit.state.attempts[attempt_id], reason, message, free=free)
    avoided = avoid and not group.over and not allocation.canary
    emit(e.AllocationClosed(allocation.run_id, allocation.group_id, allocation.allocation_id, cause, message, avoided))
    if emit.state.runs[allocation.run_id].shifting:
        emit(PlaceLeft(allocation.run_id, allocation.group_id, emit.now))
    if allocation.canary:
        canary.ended(emit, allocation, cause, message)
    if group.target.request.gang > 1 and cause is not Cause.DONE and not group.over:
        close_gang(emit, group, f"its gang lost {allocation.worker_id}")
    feed_group(emit, group)
    feed_waiting_for_quiet(emit, group.run_id)
    settle_group(emit, group)
    if group.over and group.product is not None and not group.allocations:
        release_dependents(emit, group.run_id)
    settle_limits(emit)


def fail_if_spent(emit: Emitter, group: Group, cause: Cause, message: str) -> None:
    """Fail a group whose allocations failed as often in a row as its run allows attempts, without any result.

    Not while others of it get ready: one broken host must not fail what another is about to begin.
    """
    most = max(emit.state.runs[group.run_id].policy.max_attempts, 1)
    spent = cause in RETRIED and group.failures >= most
    if not group.over and spent and not group.attempts and not open_allocations(emit, group):
        text = f"{cause.name.lower()} ({group.failures} times): {message}".rstrip(": ")
        fail_group(emit, group, text, infrastructure=True)
