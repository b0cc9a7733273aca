"""Workers, devices and requests, as messages and as the resource model."""

from __future__ import annotations

from dataclasses import replace

from crossfleet.api.types.v1 import device_pb2, suite_pb2
from crossfleet.coordinator.core.model import Worker
from crossfleet.coordinator.core.outcomes import WorkerState
from crossfleet.matching.model import Attribute, Device, DeviceRequest, Request, WorkerView
from crossfleet.matching.model import WorkerState as ViewState
from crossfleet.matching.version import Version

_VIEW_STATES = {
    WorkerState.READY: ViewState.READY,
    WorkerState.SUSPECT: ViewState.SUSPECT,
    WorkerState.DRAINING: ViewState.DRAINING,
    WorkerState.LOST: ViewState.LOST,
}


def view_now(worker: Worker) -> WorkerView:
    """A worker as planners see it, with the state that it is in now."""
    return replace(worker.view, state=_VIEW_STATES[worker.state])


def worker_view(worker: device_pb2.Worker) -> WorkerView:
    """A worker as it describes itself, as planners see it. Slots and cores of zero count as one."""
    return WorkerView(
        name=worker.worker_id,
        labels=dict(worker.labels),
        devices=tuple(_device(device) for device in worker.devices),
        cpu_cores=worker.cpu_cores or 1.0,
        memory_bytes=worker.memory_bytes,
        slots_total=max(1, worker.slots),
        taints=frozenset(worker.taints),
        runners=frozenset(worker.runners),
        host=worker.host,
        version=worker.version,
    )


def _device(device: device_pb2.Device) -> Device:
    attributes = {name: _attribute(value) for name, value in device.attributes.items()}
    return Device(
        id=device.device_id,
        device_class=device.device_class,
        attributes={name: value for name, value in attributes.items() if value is not None},
        capacities=dict(device.capacities),
        conditions=frozenset(device.conditions),
    )


def _attribute(value: device_pb2.AttributeValue) -> Attribute | None:
    kind = value.WhichOneof("kind")
    if kind is None:
        return None
    if kind == "list_value":
        return tuple(value.list_value.values)
    if kind == "version_value":
        try:
            return Version(value.version_value)
        except ValueError:  # a driver that reports nonsense costs this attribute only
            return value.version_value
    found: Attribute = getattr(value, kind)
    return found


def request_from(request: suite_pb2.Request, selector: str, runner: str) -> Request:
    """What a target's slots need; counts of zero mean one."""
    return Request(
        selector=selector,
        cpu_cores=request.cpu_cores,
        memory_bytes=request.memory_bytes,
        devices=tuple(
            DeviceRequest(device.device_class, device.selector, device.count or 1) for device in request.devices
        ),
        slots_min=request.slots_min or 1,
        slots_max=request.slots_max,
        exclusive=request.exclusive,
        tolerations=frozenset(request.tolerations),
        runner=runner,
    )


def request_message(request: Request) -> suite_pb2.Request:
    """The same, as schedulers see it."""
    return suite_pb2.Request(
        cpu_cores=request.cpu_cores,
        memory_bytes=request.memory_bytes,
        devices=[
            suite_pb2.DeviceRequest(device_class=one.device_class, selector=one.selector, count=one.count)
            for one in request.devices
        ],
        slots_min=request.slots_min,
        slots_max=request.slots_max,
        exclusive=request.exclusive,
        tolerations=sorted(request.tolerations),
    )
