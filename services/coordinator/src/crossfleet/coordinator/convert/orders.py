"""What the coordinator tells workers, as messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from crossfleet.api.worker.v1 import worker_service_pb2 as worker_pb2
from crossfleet.coordinator.core.events import AssignedTask
from crossfleet.coordinator.core.health import Health

_GRACE_SECONDS = 5.0
Message = worker_pb2.CoordinatorMessage


def assign(allocation_id: str) -> Message:
    """Tasks for slots of one allocation, none yet."""
    message = Message()
    message.assign.allocation_id = allocation_id
    return message


def add_task(message: Message, task: AssignedTask, case_indices: Sequence[int], limits: Sequence[float]) -> None:
    """Adds a task to an assign order; its cases as the worker numbers them, with their time limits, or none."""
    message.assign.tasks.add(
        attempt_id=task.attempt_id,
        slot=task.slot,
        case_indices=case_indices,
        last=task.last,
        case_timeout_seconds=limits,
    )


def no_more_tasks(allocation_id: str, slots: Sequence[int]) -> Message:
    """Nothing follows on these slots."""
    return Message(no_more_tasks=worker_pb2.NoMoreTasks(allocation_id=allocation_id, slots=slots))


def cancel(attempt_ids: Iterable[int]) -> Message:
    """End attempts."""
    return Message(cancel_attempts=worker_pb2.CancelAttempts(attempt_ids=attempt_ids, grace_seconds=_GRACE_SECONDS))


def close(allocation_id: str) -> Message:
    """Give an allocation back."""
    return Message(close_allocation=worker_pb2.CloseAllocation(allocation_id=allocation_id))


def preempt_notice(allocation_id: str, seconds: float) -> Message:
    """An allocation is given back in so many seconds."""
    return Message(preempt_notice=worker_pb2.PreemptNotice(allocation_id=allocation_id, seconds=seconds))


def close_slots(allocation_id: str, slots: Iterable[int]) -> Message:
    """Give single slots of an allocation back."""
    return Message(close_slots=worker_pb2.CloseSlots(allocation_id=allocation_id, slots=slots))


def check_health(device_id: str, health: Health) -> Message:
    """Test the host, or the device that is named."""
    return Message(
        check_health=worker_pb2.CheckHealth(
            request=health.request, device_id=device_id, repair=health.repair, cause=health.cause
        )
    )


def drain(reason: str) -> Message:
    """Take nothing new."""
    return Message(drain=worker_pb2.DrainNotice(reason=reason))
