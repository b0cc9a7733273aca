"""Rows of a trace as messages: what schedulers are told of them."""

from __future__ import annotations

from crossfleet.api.scheduler.v1.scheduler_service_pb2 import (
    PREEMPTION_ALLOWED,
    PREEMPTION_NEVER,
    PREEMPTION_UNSPECIFIED,
    TaskGroup,
)
from crossfleet.api.types.v1.device_pb2 import WORKER_STATE_READY, AttributeValue, Device, StringList, Worker
from crossfleet.api.types.v1.suite_pb2 import Request
from crossfleet.matching.messages import device_request_message
from crossfleet.matching.model import DeviceRequest
from crossfleet.simulation.trace.rows import (
    DeviceRequestRow,
    DeviceRow,
    GroupRow,
    PriorityClassRow,
    RequestRow,
    VersionValue,
    WorkerRow,
)

_VERSION = "0.1.0"


def worker_message(row: WorkerRow) -> Worker:
    """A worker that takes work."""
    return Worker(
        worker_id=row.worker_id,
        incarnation=f"{row.worker_id}-1",
        labels=row.labels,
        devices=[_device(one) for one in row.devices],
        slots=row.slots,
        cpu_cores=row.cpu_cores or row.slots,
        memory_bytes=row.memory_bytes,
        state=WORKER_STATE_READY,
        taints=row.taints,
        version=_VERSION,
        host=row.worker_id,
        runners=row.runners,
    )


def group_message(row: GroupRow, epoch: float, standing: PriorityClassRow | None = None) -> TaskGroup:
    """A group without its counts, which change. `epoch`: the beginning of the trace in seconds since 1970; `standing`: its class."""
    preemption = PREEMPTION_UNSPECIFIED
    if standing is not None:
        preemption = PREEMPTION_ALLOWED if standing.preemptible else PREEMPTION_NEVER
    return TaskGroup(
        group_id=row.group_id,
        run_id=row.run_id or row.group_id,
        project=row.project,
        target=row.target,
        selector=row.selector,
        request=_request(row.request),
        priority=row.priority if standing is None else standing.priority,
        submitted_unix_seconds=epoch + row.at,
        collected=True,
        deadline_unix_seconds=0.0 if row.deadline is None else epoch + row.deadline,
        preempts=standing is not None and standing.preempts,
        preemption=preemption,
        runner=row.runner,
    )


def _request(row: RequestRow) -> Request:
    return Request(
        cpu_cores=row.cpu_cores,
        memory_bytes=row.memory_bytes,
        devices=[device_request_message(_device_request(one)) for one in row.devices],
        slots_min=row.slots_min,
        slots_max=row.slots_max,
        exclusive=row.exclusive,
        tolerations=row.tolerations,
        gang=row.gang,
    )


def _device_request(row: DeviceRequestRow) -> DeviceRequest:
    return DeviceRequest(row.device_class, row.selector, row.count, tuple(sorted(row.capacities.items())))


def _device(row: DeviceRow) -> Device:
    made = Device(
        device_id=row.device_id,
        device_class=row.device_class,
        capacities=row.capacities,
        conditions=row.conditions,
        detector="trace",
        shareable=row.shareable,
    )
    for name, value in row.attributes.items():
        made.attributes[name].CopyFrom(_attribute(value))
    return made


def _attribute(value: bool | float | str | list[str] | VersionValue) -> AttributeValue:
    if isinstance(value, VersionValue):
        return AttributeValue(version_value=value.version)
    if isinstance(value, list):
        return AttributeValue(list_value=StringList(values=value))
    if isinstance(value, bool):
        return AttributeValue(bool_value=value)
    if isinstance(value, int):
        return AttributeValue(int_value=value)
    return AttributeValue(double_value=value) if isinstance(value, float) else AttributeValue(string_value=value)
