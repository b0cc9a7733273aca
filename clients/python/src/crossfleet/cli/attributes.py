"""Values of device attributes as people type them."""

from __future__ import annotations

import re

from crossfleet.api.types.v1.device_pb2 import AttributeValue, StringList
from crossfleet.cli.exits import UsageError
from crossfleet.matching.quantity import parse_quantity

_VERSION = re.compile(r"""version\(["']?([^"')]+)["']?\)""")
_BOOLEANS = {"true": True, "false": False}


def attribute(name: str, text: str, like: AttributeValue | None) -> AttributeValue:
    """The value of `name`, of the type of `like`, else of the type that it looks like. Raises UsageError."""
    kind = like.WhichOneof("kind") if like is not None else None
    written = _VERSION.fullmatch(text)
    try:
        match kind:
            case None:
                return _guessed(text)
            case "bool_value":
                return AttributeValue(bool_value=_BOOLEANS[text.lower()])
            case "int_value":
                return AttributeValue(int_value=_whole(text))
            case "double_value":
                return AttributeValue(double_value=float(text))
            case "version_value":
                return AttributeValue(version_value=written[1] if written else text)
            case "list_value":
                return AttributeValue(list_value=_list(text))
            case _:
                return AttributeValue(version_value=written[1]) if written else AttributeValue(string_value=text)
    except (ValueError, KeyError):
        wanted = {
            "bool_value": "true or false",
            "int_value": "a whole number, such as 16Gi",
            "double_value": "a number",
        }
        raise UsageError(f"{name}={text}: {name} is {wanted[str(kind)]}") from None


def _guessed(text: str) -> AttributeValue:
    if text in _BOOLEANS:
        return AttributeValue(bool_value=_BOOLEANS[text])
    written = _VERSION.fullmatch(text)
    if written:
        return AttributeValue(version_value=written[1])
    try:
        return AttributeValue(int_value=_whole(text))
    except ValueError:
        pass
    if re.fullmatch(r"-?\d+\.\d+", text):
        return AttributeValue(double_value=float(text))
    return AttributeValue(list_value=_list(text)) if "," in text else AttributeValue(string_value=text)


def _whole(text: str) -> int:
    """Also hexadecimal, and with a unit; a fraction only with one."""
    try:
        value = int(text, 0)
    except ValueError:
        if text[-1:].isdigit():
            raise
        value = parse_quantity(text)
    if not -(2**63) <= value < 2**63:
        raise ValueError(text)
    return value


def _list(text: str) -> StringList:
    return StringList(values=[part.strip() for part in text.split(",") if part.strip()])
