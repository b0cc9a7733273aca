"""Reads protobuf's wire format. A selector's checked expression needs nothing more than this."""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def integers(data: bytes) -> dict[int, int]:
    """The varint fields of a message, by number (the last of each wins, as protobuf says)."""
    return {number: value for number, value in fields(data) if isinstance(value, int)}


def messages(data: bytes, number: int) -> list[bytes]:
    """Every value of one length-delimited field, in order."""
    return [value for at, value in fields(data) if at == number and isinstance(value, bytes)]


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Every field of a message in order: its number, and an int (varint) or bytes (anything else).

    Raises ValueError for a wire type that no message of CEL has, IndexError for a cut message.
    """
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        kind = tag & 7
        if kind == VARINT:
            value, at = _varint(data, at)
            yield tag >> 3, value
            continue
        if kind == BYTES:
            length, at = _varint(data, at)
        elif kind in (FIXED64, FIXED32):
            length = 8 if kind == FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind} in a checked expression")
        yield tag >> 3, data[at : at + length]
        at += length


def field(number: int, content: bytes) -> bytes:
    """One length-delimited field, encoded."""
    return _encoded(number << 3 | BYTES) + _encoded(len(content)) + content


def _encoded(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
