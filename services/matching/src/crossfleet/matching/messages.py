"""Workers and requests of the protos as the resource model. The one module here that knows messages.

Coordinator and scheduler both judge by it: what one takes for a fit must be one for the other.
"""

from collections.abc import Iterable

from crossfleet.api.types.v1 import device_pb2, suite_pb2
from crossfleet.matching.gates import DEFAULT_REPEATS, DEFAULT_WAIT, GATES, NO_GATES, Gates
from crossfleet.matching.model import (
    Attribute,
    Device,
    DeviceRequest,
    Placement,
    Portion,
    Portions,
    Preference,
    Request,
    WorkerState,
    WorkerView,
)
from crossfleet.matching.portions import selector_of, together
from crossfleet.matching.template import conjunction
from crossfleet.matching.version import Version

_PLACEMENTS = {suite_pb2.PLACEMENT_SPREAD: Placement.SPREAD}
_STATES = {
    device_pb2.WORKER_STATE_READY: WorkerState.READY,
    device_pb2.WORKER_STATE_DRAINING: WorkerState.DRAINING,
    device_pb2.WORKER_STATE_LOST: WorkerState.LOST,
    device_pb2.WORKER_STATE_QUARANTINED: WorkerState.QUARANTINED,
}


def state_from(message: device_pb2.WorkerState.ValueType) -> WorkerState:
    """The state of a worker. One that is unknown is taken as suspect: nothing is placed on what cannot be judged."""
    return _STATES.get(message, WorkerState.SUSPECT)


def worker_from(message: device_pb2.Worker, state: WorkerState = WorkerState.READY) -> WorkerView:
    """A worker as it describes itself. Slots and cores of zero count as one."""
    return WorkerView(
        name=message.worker_id,
        labels=dict(message.labels),
        devices=tuple(_device(device) for device in message.devices),
        cpu_cores=message.cpu_cores or 1.0,
        memory_bytes=max(message.memory_bytes, 0),
        slots_total=max(message.slots, 1),
        taints=frozenset(message.taints),
        state=state,
        runners=frozenset(message.runners),
        host=message.host,
        version=message.version,
        gates=frozenset(message.gates),
        looking=message.looking,
    )


def request_from(message: suite_pb2.Request, selector: str, runner: str) -> Request:
    """What a target's slots need; counts of zero mean one. Wrong numbers stay as they are, for whoever checks them."""
    return Request(
        selector=selector,
        cpu_cores=message.cpu_cores,
        memory_bytes=message.memory_bytes,
        devices=device_requests(message.devices),
        slots_min=message.slots_min or 1,
        slots_max=message.slots_max,
        exclusive=message.exclusive,
        tolerations=frozenset(message.tolerations),
        runner=runner,
        gang=message.gang or 1,
        preferred=tuple(Preference(wish.selector, wish.weight or 1) for wish in message.preferred),
        placement=_PLACEMENTS.get(message.placement, Placement.PACK),
        semaphores=tuple(sorted(message.semaphores.items())),
        prefer_least=message.prefer_least,
        gates=_gates(message.gates) if message.HasField("gates") else NO_GATES,
    )


def device_requests(messages: Iterable[suite_pb2.DeviceRequest]) -> tuple[DeviceRequest, ...]:
    """The devices of a slot; a count of zero means one."""
    return tuple(
        DeviceRequest(one.device_class, one.selector, one.count or 1, tuple(sorted(one.capacities.items())))
        for one in messages
    )


def device_request_message(demand: DeviceRequest) -> suite_pb2.DeviceRequest:
    """Devices of a slot as schedulers see them: also by its selector only devices are meant that have so much in all.

    So one that knows nothing of capacities proposes none that are too small.
    """
    selector = demand.selector
    if demand.capacities:
        selector = conjunction((demand.selector, selector_of(demand.capacities)))
    return suite_pb2.DeviceRequest(
        device_class=demand.device_class, selector=selector, count=demand.count, capacities=dict(demand.capacities)
    )


def portions_from(messages: Iterable[device_pb2.DevicePortion]) -> Portions:
    """What is taken of shareable devices."""
    return together(Portion(one.device_id, tuple(sorted(one.capacities.items()))) for one in messages)


def portion_messages(portions: Portions) -> list[device_pb2.DevicePortion]:
    """What is taken of shareable devices, as messages."""
    return [device_pb2.DevicePortion(device_id=name, capacities=dict(amounts)) for name, amounts in portions]


def _gates(message: suite_pb2.Gates) -> Gates:
    limits = {field.name: value for field, value in message.ListFields() if field.name in GATES}
    return Gates(
        **limits,
        wait_seconds=message.wait.ToTimedelta().total_seconds() if message.HasField("wait") else DEFAULT_WAIT,
        repeats=message.repeats if message.HasField("repeats") else DEFAULT_REPEATS,
    )


def _device(message: device_pb2.Device) -> Device:
    attributes = {name: attribute_from(value) for name, value in message.attributes.items()}
    return Device(
        id=message.device_id,
        device_class=message.device_class,
        attributes={name: value for name, value in attributes.items() if value is not None},
        capacities=dict(message.capacities),
        conditions=frozenset(message.conditions),
        overridden=frozenset(message.override.reported),
        shareable=message.shareable,
    )


def attribute_from(message: device_pb2.AttributeValue) -> Attribute | None:
    """A value of an attribute; None where none is set."""
    kind = message.WhichOneof("kind")
    if kind is None:
        return None
    if kind == "list_value":
        return tuple(message.list_value.values)
    if kind == "version_value":
        try:
            return Version(message.version_value)
        except ValueError:
            return message.version_value  # What cannot be ordered can still be compared as text.
    value: bool | int | float | str = getattr(message, kind)
    return value


def attribute_message(value: Attribute) -> device_pb2.AttributeValue:
    """A value of an attribute as a message."""
    if isinstance(value, bool):
        return device_pb2.AttributeValue(bool_value=value)
    if isinstance(value, int):
        return device_pb2.AttributeValue(int_value=value)
    if isinstance(value, float):
        return device_pb2.AttributeValue(double_value=value)
    if isinstance(value, Version):
        return device_pb2.AttributeValue(version_value=value.text)
    if isinstance(value, str):
        return device_pb2.AttributeValue(string_value=value)
    return device_pb2.AttributeValue(list_value=device_pb2.StringList(values=map(str, value)))
