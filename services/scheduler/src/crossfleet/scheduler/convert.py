"""Messages to the words of planning, and back. Nothing else in this service knows messages."""

import math
from collections.abc import Iterable
from functools import lru_cache

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.api.types.v1 import device_pb2, suite_pb2
from crossfleet.foundation.errors import InvalidArgument
from crossfleet.matching.messages import portions_from, request_from, state_from, worker_from
from crossfleet.matching.misfit import Wait
from crossfleet.matching.model import Request, WorkerView
from crossfleet.scheduler.core.model import Allocation, Delta, Group, Plan, Share
from crossfleet.scheduler.core.session import Outcome

_WAITS = {
    Wait.NEVER: scheduler_pb2.WAITING_KIND_NEVER,
    Wait.LATER: scheduler_pb2.WAITING_KIND_LATER,
}

_PREEMPTIBLE = {scheduler_pb2.PREEMPTION_NEVER: False, scheduler_pb2.PREEMPTION_ALLOWED: True}


def rows_from_snapshot(message: scheduler_pb2.Snapshot) -> Delta:
    """The rows of a full snapshot."""
    return Delta(
        workers=tuple(worker_view(worker) for worker in message.workers),
        groups=tuple(group_from(group) for group in message.groups),
        allocations=tuple(allocation_from(allocation) for allocation in message.allocations),
        shares=tuple(share_from(share) for share in message.shares),
    )


def delta_from(message: scheduler_pb2.Delta) -> Delta:
    """The rows that changed, and the ids of those that are gone."""
    return Delta(
        workers=tuple(worker_view(worker) for worker in message.workers),
        groups=tuple(group_from(group) for group in message.groups),
        allocations=tuple(allocation_from(allocation) for allocation in message.allocations),
        shares=tuple(share_from(share) for share in message.shares),
        removed_workers=tuple(message.removed_worker_ids),
        removed_groups=tuple(message.removed_group_ids),
        removed_allocations=tuple(message.removed_allocation_ids),
    )


def worker_view(message: device_pb2.Worker) -> WorkerView:
    """A worker."""
    _check_cores(message.cpu_cores, f"workers[{message.worker_id}].cpu_cores")
    return worker_from(message, state_from(message.state))


def group_from(message: scheduler_pb2.TaskGroup) -> Group:
    """A task group."""
    _check_cores(message.request.cpu_cores, f"groups[{message.group_id}].request.cpu_cores")
    return Group(
        id=message.group_id,
        run_id=message.run_id,
        project=message.project,
        target=message.target,
        request=_request(message.request.SerializeToString(), message.selector, message.runner),
        priority=message.priority,
        submitted_at=message.submitted_unix_seconds,
        deadline=message.deadline_unix_seconds or math.inf,
        wanted_slots=max(message.wanted_slots, 0),
        remaining_cases=message.remaining_cases,
        collected=message.collected,
        estimated_seconds=message.estimated_seconds,
        avoid=frozenset(message.avoid_worker_ids),
        warm=tuple(message.warm_worker_ids),
        preempts=message.preempts,
        preemptible=_PREEMPTIBLE.get(message.preemption),
    )


def allocation_from(message: scheduler_pb2.Allocation) -> Allocation:
    """An allocation."""
    return Allocation(
        id=message.allocation_id,
        group_id=message.group_id,
        worker_id=message.worker_id,
        slots=message.slots,
        device_ids=tuple(message.device_ids),
        closing=message.closing,
        portions=portions_from(message.portions) if message.portions else (),
    )


def share_from(message: scheduler_pb2.ProjectShare) -> Share:
    """What a project is to have and had. Raises InvalidArgument for a weight that is none."""
    if not math.isfinite(message.weight) or message.weight < 0:
        raise InvalidArgument(f"shares[{message.project}].weight: {message.weight} is not a weight: at least 0")
    return Share(message.project, message.weight, dict(message.used))


def outcomes_from(messages: Iterable[scheduler_pb2.PlanOutcome]) -> tuple[Outcome, ...]:
    """What became of plans."""
    return tuple(Outcome(one.plan_id, tuple(refusal.index for refusal in one.refused)) for one in messages)


def plan_message(plan_id: str, plan: Plan) -> scheduler_pb2.ScheduleResponse:
    """A plan."""
    response = scheduler_pb2.ScheduleResponse(plan_id=plan_id, base_revision=plan.base_revision)
    response.revoke_allocation_ids.extend(plan.revoke)
    for one in plan.allocate:
        response.allocate.add(
            group_id=one.group_id,
            worker_id=one.worker_id,
            slots=one.slots,
            device_ids=one.device_ids,
            gang_id=one.gang,
        )
    for wait in plan.waiting:
        response.waiting.add(group_id=wait.group_id, kind=_WAITS[wait.wait], code=wait.code, text=wait.text)
    return response


@lru_cache(maxsize=4096)
def _request(serialized: bytes, selector: str, runner: str) -> Request:
    """One object for all groups that ask for the same, of which there are many."""
    return request_from(suite_pb2.Request.FromString(serialized), selector, runner)


def _check_cores(value: float, field: str) -> None:
    if not math.isfinite(value) or value < 0:
        raise InvalidArgument(f"{field}: {value} is not a number of cores")
