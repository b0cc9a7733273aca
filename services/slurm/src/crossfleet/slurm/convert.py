"""Messages to the words of the bridge. What is not said here passes through unread."""

from __future__ import annotations

import math
from collections.abc import Iterable

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.api.types.v1 import device_pb2
from crossfleet.matching.deadlines import counts_from
from crossfleet.matching.messages import request_from, worker_from
from crossfleet.matching.model import WorkerView
from crossfleet.slurm.core.view import Changes, Group


def changes_from(update: scheduler_pb2.ScheduleRequest, name: str) -> Changes | None:
    """What an update changes; None for one that brings only outcomes. Pilots are the workers called NAME-..."""
    kind = update.WhichOneof("update")
    if kind is None:
        return None
    rows = update.snapshot if kind == "snapshot" else update.delta
    pilots, others = _sorted(rows.workers, f"{name}-")
    removed = scheduler_pb2.Delta() if kind == "snapshot" else update.delta
    return Changes(
        whole=kind == "snapshot",
        groups=tuple(_group(one) for one in rows.groups),
        removed_groups=tuple(removed.removed_group_ids),
        workers=pilots,
        others=others,
        removed_workers=tuple(removed.removed_worker_ids),
        allocations={one.allocation_id: (one.group_id, one.slots, one.worker_id) for one in rows.allocations},
        removed_allocations=tuple(removed.removed_allocation_ids),
    )


def _sorted(workers: Iterable[device_pb2.Worker], prefix: str) -> tuple[tuple[WorkerView, ...], tuple[str, ...]]:
    pilots, others = [], []
    for one in workers:
        if one.worker_id.startswith(prefix):
            pilots.append(worker_from(one))
        else:
            others.append(one.worker_id)
    return tuple(pilots), tuple(others)


def _group(message: scheduler_pb2.TaskGroup) -> Group:
    return Group(
        id=message.group_id,
        request=request_from(message.request, message.selector, message.runner),
        wanted_slots=message.wanted_slots,
        collected=message.collected,
        estimated_seconds=message.estimated_seconds,
        priority=message.priority,
        since=counts_from(message.submitted_unix_seconds, message.deadline_unix_seconds or math.inf),
    )
