"""What people say of devices: as it is asked for, and on the devices that schedulers and people see."""

from __future__ import annotations

import math
import re
from difflib import get_close_matches

from crossfleet.api.coordinator.v1 import fleet_service_pb2 as fleet_pb2
from crossfleet.api.types.v1 import device_pb2
from crossfleet.coordinator.convert.checks import Checks
from crossfleet.coordinator.convert.runs import set_time
from crossfleet.coordinator.core.override import Override, OverrideDevice
from crossfleet.coordinator.core.quoting import quoted
from crossfleet.foundation.errors import DeviceNotFound
from crossfleet.matching.messages import attribute_from, attribute_message
from crossfleet.matching.model import HIDDEN
from crossfleet.matching.names import DEVICE_FIELDS
from crossfleet.matching.version import Version

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_NAME_RULE = (
    "begins with a letter, has lower-case letters, digits and '_', at most 64 bytes, and is none of "
    + ", ".join(DEVICE_FIELDS)
)
_STRING_BYTES = 1024
_KINDS = {
    "bool_value": "true or false",
    "int_value": "a whole number",
    "double_value": "a real number",
    "string_value": "a text",
    "version_value": "a version",
    "list_value": "a list of texts",
}


def override_from(request: fleet_pb2.OverrideDeviceRequest, known: device_pb2.Worker, author: str) -> OverrideDevice:
    """A checked command; `known` is the worker as it described itself. Raises InvalidArgument, DeviceNotFound.

    An attribute that the detector reports keeps its type: with another one no selector that names it would hold any more.
    """
    device = _device(request, known)
    checks = Checks()
    checks.size(request.reason, "reason", 200)
    checks.size(author, "author", 100)
    for name, value in request.attributes.items():
        path = f"attributes[{name!r}]"
        checks.require(bool(_NAME.fullmatch(name)) and name not in DEVICE_FIELDS, path, _NAME_RULE)
        kind, reported = value.WhichOneof("kind"), device.attributes.get(name)
        if not checks.require(kind is not None, path, "a value of one type; `restore` takes an override back"):
            continue
        told = reported.WhichOneof("kind") if reported is not None else None
        if told is not None and (told, kind) != ("string_value", "version_value"):
            checks.require(kind == told, path, f"{_KINDS[told]}, which it is on {device.device_id}")
        checks.require(value.ByteSize() <= 4 * _STRING_BYTES, path, f"at most {4 * _STRING_BYTES} bytes")
        checks.require(math.isfinite(value.double_value), path, "a finite number")
        if kind == "version_value":
            checks.require(isinstance(attribute_from(value), Version), path, "a version, such as 550.54")
    both = sorted(request.attributes.keys() & set(request.restore))
    checks.require(not both, "restore", f"nothing that attributes sets too: {', '.join(both)}")
    checks.finish("the override")
    return OverrideDevice(
        worker_id=request.worker_id,
        device_id=request.device_id,
        attributes={name: attribute_from(value) or "" for name, value in request.attributes.items()},
        restore=tuple(request.restore),
        hidden=request.hidden if request.HasField("hidden") else None,
        clear=request.clear,
        reason=request.reason,
        author=author,
    )


def override_device(device: device_pb2.Device, override: Override) -> None:
    """Change a device that its worker has described to what people say of it, and note what its detector says."""
    note = device.override
    for name, value in override.attributes.items():
        reported = note.reported[name]
        if name in device.attributes:
            reported.CopyFrom(device.attributes[name])
        device.attributes[name].CopyFrom(attribute_message(value))
        if name in device.capacities and type(value) is int:
            reported.int_value = device.capacities[name]
            device.capacities[name] = value
    note.hidden, note.reason, note.author = override.hidden, override.reason, override.author
    set_time(note.at, override.at)
    if override.hidden:
        device.conditions.append(HIDDEN)


def _device(request: fleet_pb2.OverrideDeviceRequest, known: device_pb2.Worker) -> device_pb2.Device:
    by_id = {device.device_id: device for device in known.devices}
    if request.device_id in by_id:
        return by_id[request.device_id]
    if request.clear and not request.attributes:
        return device_pb2.Device()  # of one that is gone it can still be taken back
    near = get_close_matches(request.device_id, by_id, 1, 0.5)
    mend = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(by_id) or 'none'}"
    raise DeviceNotFound(
        f"{request.worker_id} has no device {quoted(request.device_id)}: {mend}",
        worker=request.worker_id,
        device=request.device_id,
    )
