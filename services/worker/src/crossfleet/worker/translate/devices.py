"""From what detectors found to the messages about devices."""

from __future__ import annotations

from collections.abc import Sequence

from crossfleet.api.types.v1 import device_pb2
from crossfleet.worker.detectors.detector import Found
from crossfleet.worker.translate.text import as_text

_STRING_BYTES = 1024
_LIST_ENTRIES = 4096


def device(found: Found, detector: str, at: float) -> device_pb2.Device:
    """One device, seen `at` unix seconds. Raises ValueError naming the attribute whose value has no type that devices know."""
    message = device_pb2.Device(
        device_id=str(found["device_id"]),
        device_class=str(found["device_class"]).lower(),
        capacities={name: int(amount) for name, amount in (found.get("capacities") or {}).items()},
        conditions=[str(condition) for condition in found.get("conditions") or ()],
        detector=detector,
        shareable=bool(found.get("shareable")),
    )
    for name, value in (found.get("attributes") or {}).items():
        message.attributes[name].CopyFrom(_value(name, value))
    message.probed_at.FromNanoseconds(int(at * 1e9))
    return message


def _value(name: str, value: object) -> device_pb2.AttributeValue:
    if isinstance(value, bool):
        return device_pb2.AttributeValue(bool_value=value)
    if isinstance(value, int):
        return device_pb2.AttributeValue(int_value=value)
    if isinstance(value, float):
        return device_pb2.AttributeValue(double_value=value)
    if isinstance(value, str):
        return device_pb2.AttributeValue(string_value=as_text(value, _STRING_BYTES))
    if isinstance(value, dict) and isinstance(value.get("version"), str):
        return device_pb2.AttributeValue(version_value=as_text(value["version"], _STRING_BYTES))
    if isinstance(value, Sequence) and all(isinstance(entry, str) for entry in value):
        entries = [as_text(entry, _STRING_BYTES) for entry in value[:_LIST_ENTRIES]]
        return device_pb2.AttributeValue(list_value=device_pb2.StringList(values=entries))
    raise ValueError(f"attribute {name!r} has a value of type {type(value).__name__}")
