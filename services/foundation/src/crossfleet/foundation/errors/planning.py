"""Why a plan of a scheduler, or one of its items, was refused."""

from __future__ import annotations

from grpc import StatusCode

from crossfleet.foundation.errors.base import CrossfleetError


class SnapshotRequired(CrossfleetError):
    """A delta of the scheduling stream does not continue the revision that the scheduler has."""

    reason = "SNAPSHOT_REQUIRED"
    code = StatusCode.FAILED_PRECONDITION


class RevisionStale(CrossfleetError):
    """A plan is based on a revision that is too old to be judged."""

    reason = "REVISION_STALE"
    code = StatusCode.ABORTED


class ResourcesUnavailable(CrossfleetError):
    """Slots or devices that a plan gives away are held, gone or not there."""

    reason = "RESOURCES_UNAVAILABLE"
    code = StatusCode.FAILED_PRECONDITION


class RequestNotSatisfied(CrossfleetError):
    """What a plan gives to a group does not satisfy the group's request."""

    reason = "REQUEST_NOT_SATISFIED"
    code = StatusCode.FAILED_PRECONDITION


class GangIncomplete(CrossfleetError):
    """A plan places a gang only in part."""

    reason = "GANG_INCOMPLETE"
    code = StatusCode.FAILED_PRECONDITION


class SchedulerSuperseded(CrossfleetError):
    """The scheduler is no longer the one that decides for this pool."""

    reason = "SCHEDULER_SUPERSEDED"
    code = StatusCode.ABORTED


class GroupNotOpen(CrossfleetError):
    """A plan names a task group that is finished, cancelled or unknown."""

    reason = "GROUP_NOT_OPEN"
    code = StatusCode.FAILED_PRECONDITION


class WorkerNotSchedulable(CrossfleetError):
    """A plan places work on a worker that is draining, suspect or without a lease."""

    reason = "WORKER_NOT_SCHEDULABLE"
    code = StatusCode.FAILED_PRECONDITION


class Reserved(CrossfleetError):
    """The devices are kept for another group or person."""

    reason = "RESERVED"
    code = StatusCode.FAILED_PRECONDITION


class PlanInvalid(CrossfleetError):
    """A plan cannot be read."""

    reason = "PLAN_INVALID"
    code = StatusCode.INVALID_ARGUMENT
