"""Updates and plans as lines for people: what was sent, and what came."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from crossfleet.api.scheduler.v1.scheduler_service_pb2 import Allocation, ScheduleRequest, ScheduleResponse, TaskGroup
from crossfleet.api.types.v1.device_pb2 import WORKER_STATE_READY, Worker, WorkerState
from crossfleet.foundation.words import word

_MOST = 6


def update_line(update: ScheduleRequest) -> str:
    """One update."""
    kind = update.WhichOneof("update") or "outcomes alone"
    parts: list[str] = []
    if update.HasField("update"):
        rows = update.snapshot if update.HasField("snapshot") else update.delta
        parts += _named("workers", [_worker(one) for one in rows.workers])
        parts += _named("groups", [_group(one) for one in rows.groups])
        parts += _named("allocations", [_allocation(one) for one in rows.allocations])
    if update.HasField("delta"):
        gone = (
            *update.delta.removed_worker_ids,
            *update.delta.removed_group_ids,
            *update.delta.removed_allocation_ids,
        )
        parts += _named("gone", list(dict.fromkeys(gone)))
    for outcome in update.outcomes:
        parts.append(f"of {outcome.plan_id}: {len(outcome.accepted_allocation_ids)} accepted")
        parts[-1] += "".join(f", proposal {one.index} refused ({one.reason})" for one in outcome.refused[:_MOST])
    return f"sent  {kind} {update.revision}: {'; '.join(parts) or 'nothing'}"


def plan_line(plan: ScheduleResponse) -> str:
    """One plan."""
    proposals = [
        f"{one.slots} of {one.worker_id} for {one.group_id}"
        + (f" with {', '.join(one.device_ids)}" if one.device_ids else "")
        + (f" in gang {one.gang_id}" if one.gang_id else "")
        for one in plan.allocate
    ]
    parts = _named("allocate", proposals)
    parts += _named("revoke", plan.revoke_allocation_ids)
    parts += _named("waiting", [f"{one.group_id} {one.code}" for one in plan.waiting])
    parts += ["asks for a snapshot"] if plan.request_snapshot else []
    return f"came  plan {plan.plan_id!r} on {plan.base_revision}: {'; '.join(parts) or 'nothing'}"


def _named(what: str, each: Sequence[str]) -> list[str]:
    return [f"{what} {_list(each)}"] if each else []


def _list(each: Sequence[str]) -> str:
    more = f" and {len(each) - _MOST} more" if len(each) > _MOST else ""
    return ", ".join(each[:_MOST]) + more


def _worker(one: Worker) -> str:
    said = [f"{one.slots} slots"]
    said += [word(WorkerState, one.state)] if one.state != WORKER_STATE_READY else []
    said += [f"tainted {', '.join(one.taints)}"] if one.taints else []
    said += [each.device_id for each in one.devices]
    return f"{one.worker_id} ({_joined(said)})"


def _group(one: TaskGroup) -> str:
    return f"{one.group_id} (wants {one.wanted_slots}{', ' + one.selector if one.selector else ''})"


def _allocation(one: Allocation) -> str:
    return f"{one.slots} of {one.worker_id} for {one.group_id}{' (closing)' if one.closing else ''}"


def _joined(each: Iterable[str]) -> str:
    return ", ".join(each)
