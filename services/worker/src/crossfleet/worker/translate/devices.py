"""From what detectors found to the messages about devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from reprlib import Repr
from typing import Any

from crossfleet.api.types.v1 import device_pb2
from crossfleet.worker.detectors.detector import Found
from crossfleet.worker.translate.text import as_text

_NAME_BYTES = 200
_STRING_BYTES = 1024
_LIST_ENTRIES = 4096
_LARGEST = 2**63 - 1
_SHOWN = Repr()  # also of what is nested deeply
_SHOWN.maxstring = _SHOWN.maxother = 80


def device(found: Found, detector: str, at: float) -> device_pb2.Device:
    """One device, seen `at` unix seconds. Raises ValueError naming the field that is not as `Found` says, and what it is."""
    if not isinstance(found, Mapping):
        raise _wrong("it", found, "an object with device_id and device_class")
    _texts("adds", found.get("adds"))
    shareable = found.get("shareable")
    if not isinstance(shareable, bool | None):
        raise _wrong("shareable", shareable, "true or false")
    message = device_pb2.Device(
        device_id=_name("device_id", found.get("device_id")),
        device_class=_name("device_class", found.get("device_class")).lower(),
        capacities={name: _amount(f"capacities[{name!r}]", one) for name, one in _entries("capacities", found)},
        conditions=_texts("conditions", found.get("conditions")),
        detector=detector,
        shareable=bool(shareable),
    )
    for name, value in _entries("attributes", found):
        message.attributes[name].CopyFrom(_value(f"attributes[{name!r}]", value))
    message.probed_at.FromNanoseconds(int(at * 1e9))
    return message


def _wrong(path: str, value: object, allowed: str) -> ValueError:
    return ValueError(f"{path} is {as_text(_SHOWN.repr(value))}, not {allowed}")


def _name(path: str, value: object) -> str:
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value.encode()) <= _NAME_BYTES:
        raise _wrong(path, value, f"a text of 1 to {_NAME_BYTES} printable bytes")
    return value


def _entries(path: str, found: Found) -> Sequence[tuple[str, Any]]:
    value = found.get(path)
    if value is None:
        return ()
    if not isinstance(value, Mapping) or not all(isinstance(name, str) and name for name in value):
        raise _wrong(path, value, "values by name")
    return [(as_text(name), one) for name, one in value.items()]


def _texts(path: str, value: object) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(one, str) for one in value):
        raise _wrong(path, value, "a list of texts")
    return [as_text(one, _STRING_BYTES) for one in value[:_LIST_ENTRIES]]


def _amount(path: str, value: object) -> int:
    """JSON has no whole numbers: some write 8e9."""
    whole = value if isinstance(value, int) and not isinstance(value, bool) else None
    if isinstance(value, float) and value.is_integer():
        whole = int(value)
    if whole is None or not 0 <= whole <= _LARGEST:
        raise _wrong(path, value, "a whole number from 0 to 2^63-1")
    return whole


def _value(path: str, value: object) -> device_pb2.AttributeValue:
    if isinstance(value, bool):
        return device_pb2.AttributeValue(bool_value=value)
    if isinstance(value, int) and -_LARGEST <= value <= _LARGEST:
        return device_pb2.AttributeValue(int_value=value)
    if isinstance(value, float):
        return device_pb2.AttributeValue(double_value=value)
    if isinstance(value, str):
        return device_pb2.AttributeValue(string_value=as_text(value, _STRING_BYTES))
    if isinstance(value, dict) and isinstance(value.get("version"), str):
        return device_pb2.AttributeValue(version_value=as_text(value["version"], _STRING_BYTES))
    if isinstance(value, Sequence) and all(isinstance(entry, str) for entry in value):
        return device_pb2.AttributeValue(list_value=device_pb2.StringList(values=_texts(path, value)))
    raise _wrong(
        path, value, "a value that attributes have: a number, a text, true or false, a version, or a list of texts"
    )
