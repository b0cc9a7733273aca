"""Things that were asked for and do not exist."""

from __future__ import annotations

from grpc import StatusCode

from crossfleet.foundation.errors.base import CrossfleetError


class RunNotFound(CrossfleetError):
    """No run has this id, or the caller may not know of it."""

    reason = "RUN_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class TargetNotFound(CrossfleetError):
    """The run has no such target."""

    reason = "TARGET_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class CaseNotFound(CrossfleetError):
    """The run has no such case."""

    reason = "CASE_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class TaskNotFound(CrossfleetError):
    """No task has this id."""

    reason = "TASK_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class AttemptNotFound(CrossfleetError):
    """No attempt has this id."""

    reason = "ATTEMPT_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class AllocationNotFound(CrossfleetError):
    """No allocation has this id."""

    reason = "ALLOCATION_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class WorkerNotFound(CrossfleetError):
    """No worker has this name."""

    reason = "WORKER_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class DeviceNotFound(CrossfleetError):
    """The worker has no such device."""

    reason = "DEVICE_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class PoolNotFound(CrossfleetError):
    """No pool has this name."""

    reason = "POOL_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class ProjectNotFound(CrossfleetError):
    """No project has this name."""

    reason = "PROJECT_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class ArtifactNotFound(CrossfleetError):
    """No such artifact was kept, or it was cleaned up by age."""

    reason = "ARTIFACT_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class BlobNotFound(CrossfleetError):
    """No blob has this digest."""

    reason = "BLOB_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class UploadNotFound(CrossfleetError):
    """An upload was given up or never begun."""

    reason = "UPLOAD_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class LogNotFound(CrossfleetError):
    """No log was kept under this name."""

    reason = "LOG_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class WorkspaceNotFound(CrossfleetError):
    """No workspace has this digest, or a path that should be packed does not exist."""

    reason = "WORKSPACE_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class SchedulerNotFound(CrossfleetError):
    """No scheduler is registered under this name."""

    reason = "SCHEDULER_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class ReservationNotFound(CrossfleetError):
    """No reservation has this id."""

    reason = "RESERVATION_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class SettingNotFound(CrossfleetError):
    """No setting has this name."""

    reason = "SETTING_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class PluginNotFound(CrossfleetError):
    """No installed plugin has this name."""

    reason = "PLUGIN_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class RunnerNotFound(CrossfleetError):
    """No worker of the fleet knows this kind of runner."""

    reason = "RUNNER_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class DeliveryNotFound(CrossfleetError):
    """No delivery has this id."""

    reason = "DELIVERY_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class CollectionNotFound(CrossfleetError):
    """No collection of this run has this digest."""

    reason = "COLLECTION_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class ScheduleNotFound(CrossfleetError):
    """No schedule has this name."""

    reason = "SCHEDULE_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class PriorityClassNotFound(CrossfleetError):
    """No priority class has this name."""

    reason = "PRIORITY_CLASS_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class SemaphoreNotFound(CrossfleetError):
    """No semaphore has this name."""

    reason = "SEMAPHORE_NOT_FOUND"
    code = StatusCode.NOT_FOUND
