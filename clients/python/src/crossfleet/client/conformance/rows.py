"""Workers, groups and allocations of the checks, as messages; and what is true of selectors, which the kit does not evaluate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from crossfleet.api.scheduler.v1.scheduler_service_pb2 import PREEMPTION_UNSPECIFIED, Allocation, Preemption, TaskGroup
from crossfleet.api.types.v1.device_pb2 import (
    WORKER_STATE_READY,
    AttributeValue,
    Device,
    DevicePortion,
    StringList,
    Worker,
    WorkerState,
)
from crossfleet.api.types.v1.suite_pb2 import DeviceRequest, Gates, Request

GIB = 2**30
Portion = tuple[str, tuple[tuple[str, int], ...]]
"""A device, and what is taken of its capacities, by name."""
Value = bool | int | float | str | tuple[str, ...] | AttributeValue


@dataclass(frozen=True)
class Wish:
    """A group as it is told, and which workers and devices (by id) its selectors accept; None: every one."""

    row: TaskGroup
    workers: frozenset[str] | None = None
    devices: frozenset[str] | None = None

    @property
    def group_id(self) -> str:
        """Its id."""
        return self.row.group_id


@dataclass(frozen=True)
class Holding:
    """Slots and devices of a worker that a group holds; of those in `portions` only so much."""

    holding_id: str
    group_id: str
    worker_id: str
    slots: int
    device_ids: tuple[str, ...] = ()
    closing: bool = False
    portions: tuple[Portion, ...] = ()

    def message(self) -> Allocation:
        """As schedulers are told."""
        return Allocation(
            allocation_id=self.holding_id,
            group_id=self.group_id,
            worker_id=self.worker_id,
            slots=self.slots,
            device_ids=dict.fromkeys(self.device_ids),
            closing=self.closing,
            portions=[DevicePortion(device_id=name, capacities=dict(taken)) for name, taken in self.portions],
        )


def worker(
    name: str,
    slots: int = 2,
    *,
    cores: float = 0.0,
    memory: int = 8 * GIB,
    state: WorkerState.ValueType = WORKER_STATE_READY,
    labels: dict[str, str] | None = None,
    taints: Iterable[str] = (),
    runners: Iterable[str] = ("pytest",),
    devices: Iterable[Device] = (),
    host: str = "",
    gates: Iterable[str] = (),
) -> Worker:
    """A worker; a core a slot and a host of its own unless said otherwise."""
    return Worker(
        worker_id=name,
        incarnation=f"{name}-1",
        slots=slots,
        cpu_cores=cores or slots,
        memory_bytes=memory,
        state=state,
        labels=labels or {},
        taints=taints,
        runners=runners,
        devices=devices,
        host=host or name,
        gates=gates,
        version="0.1.0",
    )


def device(name: str, device_class: str = "gpu", *, conditions: Iterable[str] = (), **attributes: Value) -> Device:
    """A device; its id is unique in a check."""
    made = Device(device_id=name, device_class=device_class, conditions=conditions, detector="kit")
    for attribute, value in attributes.items():
        made.attributes[attribute].CopyFrom(_attribute(value))
    return made


def shareable(name: str, memory: int, device_class: str = "gpu") -> Device:
    """A device with so much memory, of which portions may be held."""
    made = device(name, device_class)
    made.shareable, made.capacities["memory"] = True, memory
    return made


def portion(name: str, memory: int) -> Portion:
    """So much of the memory of a device."""
    return (name, (("memory", memory),))


def version(text: str) -> AttributeValue:
    """A version, as attributes have them."""
    return AttributeValue(version_value=text)


def _attribute(value: Value) -> AttributeValue:
    if isinstance(value, AttributeValue):
        return value
    if isinstance(value, tuple):
        return AttributeValue(list_value=StringList(values=value))
    if isinstance(value, bool):
        return AttributeValue(bool_value=value)
    if isinstance(value, int):
        return AttributeValue(int_value=value)
    return AttributeValue(double_value=value) if isinstance(value, float) else AttributeValue(string_value=value)


def group(
    name: str,
    wanted: int = 2,
    *,
    selector: str = "",
    workers: Iterable[str] | None = None,
    devices: Iterable[str] | None = None,
    request: Request | None = None,
    priority: int = 0,
    age: float = 0.0,
    project: str = "p",
    run: str = "",
    runner: str = "pytest",
    avoid: Iterable[str] = (),
    due: float | None = None,
    preempts: bool = False,
    preemption: Preemption.ValueType = PREEMPTION_UNSPECIFIED,
) -> Wish:
    """A group of a run of its own, submitted `age` seconds before noon of a day in 2026, and `due` so many after it."""
    row = TaskGroup(
        group_id=name,
        run_id=run or f"run-{name}",
        project=project,
        target="any",
        selector=selector,
        request=request,
        priority=priority,
        submitted_unix_seconds=NOON - age,
        remaining_cases=1000,
        collected=True,
        wanted_slots=wanted,
        runner=runner,
        avoid_worker_ids=avoid,
        deadline_unix_seconds=0.0 if due is None else NOON + due,
        preempts=preempts,
        preemption=preemption,
    )
    return Wish(row, _known(workers), _known(devices))


def request(
    *,
    cores: float = 0.0,
    memory: int = 0,
    devices: Iterable[DeviceRequest] = (),
    slots_min: int = 0,
    slots_max: int = 0,
    exclusive: bool = False,
    tolerations: Iterable[str] = (),
    gang: int = 0,
    gates: Gates | None = None,
) -> Request:
    """What each slot needs."""
    return Request(
        cpu_cores=cores,
        memory_bytes=memory,
        devices=devices,
        slots_min=slots_min,
        slots_max=slots_max,
        exclusive=exclusive,
        tolerations=tolerations,
        gang=gang,
        gates=gates,
    )


def wants(device_class: str, count: int = 1, selector: str = "") -> DeviceRequest:
    """So many devices of a class for each slot. A request of the checks names each class once."""
    return DeviceRequest(device_class=device_class, count=count, selector=selector)


def wants_memory(memory: int, device_class: str = "gpu") -> DeviceRequest:
    """A device with so much memory for each slot, as the coordinator tells of it."""
    selector = f'device.capacities["memory"] >= {memory}'
    return DeviceRequest(device_class=device_class, count=1, selector=selector, capacities={"memory": memory})


NOON = 1_790_000_000.0
"""The leader's clock as a check begins."""


def _known(names: Iterable[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)
