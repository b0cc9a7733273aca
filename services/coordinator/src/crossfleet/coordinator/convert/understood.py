"""What clients of a later version ask for that this one does not know: a run that leaves it out would not be what they think."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from crossfleet.coordinator import __version__
from crossfleet.foundation.errors import FieldViolation, Unimplemented


def check_understood(message: Message, path: str) -> None:
    """Raises Unimplemented where a message has fields, or values of enums, that only later versions know."""
    unknown = list(_unknown(message, path))
    if unknown:
        first = f"{unknown[0][0]} of {unknown[0][1]}"
        raise Unimplemented(
            f"the coordinator is of version {__version__} and does not know {first}: upgrade it, or do without",
            feature=first,
            fields=[FieldViolation(where, f"{what} is of a later version") for what, where in unknown],
        )


def _unknown(message: Message, path: str) -> Iterator[tuple[str, str]]:
    """What, and where."""
    unknown = UnknownFieldSet(message)
    for index in range(len(unknown)):
        yield f"field {unknown[index].field_number}", path
    for descriptor, value in message.ListFields():
        kind, where = descriptor.message_type, f"{path}.{descriptor.name}"
        if descriptor.enum_type is not None:
            for number in value if descriptor.is_repeated else (value,):
                if number not in descriptor.enum_type.values_by_number:
                    yield f"value {number}", where
        elif kind is not None and not kind.GetOptions().map_entry:
            yield from _inside(value, where, repeated=descriptor.is_repeated)


def _inside(value: Any, where: str, *, repeated: bool) -> Iterator[tuple[str, str]]:
    if not repeated:
        yield from _unknown(value, where)
        return
    for index, each in enumerate(value):
        yield from _unknown(each, f"{where}[{index}]")
