"""Workers and devices as the values that a selector sees."""

from contextlib import suppress
from typing import Any

from crossfleet.matching.model import Attribute, Device, WorkerView
from crossfleet.matching.version import Version, encode


def device_value(device: Device) -> dict[str, Any]:
    """The ``device`` of a selector: attributes and capacities by name, and the fields that always exist."""
    attributes = {name: _plain(value) for name, value in device.attributes.items()}
    capacities = dict(device.capacities)
    fixed = {
        "class": device.device_class,
        "attributes": attributes,
        "capacities": capacities,
        "conditions": sorted(device.conditions),
    }
    return {**attributes, **capacities, **fixed}


def worker_value(worker: WorkerView) -> dict[str, Any]:
    """The ``worker`` of a selector. Memory is in bytes."""
    value: dict[str, Any] = {
        "name": worker.name,
        "labels": dict(worker.labels),
        "cpu": float(worker.cpu_cores),
        "cpu_cores": float(worker.cpu_cores),
        "memory": worker.memory_bytes,
        "slots": worker.slots_total,
        "taints": sorted(worker.taints),
        "runners": sorted(worker.runners),
        "host": worker.host,
    }
    with suppress(ValueError):  # Else it is missing: a selector that asks for it does not match and says so.
        value["version"] = encode(worker.version)
    return value


def _plain(value: Attribute) -> Any:
    if isinstance(value, Version):
        return encode(value.text)
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return value
