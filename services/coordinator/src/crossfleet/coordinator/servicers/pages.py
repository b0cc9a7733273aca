"""Page tokens (AIP-158): where a list goes on, bound to the list and its filter."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Sequence
from typing import Any

from google.protobuf.message import Message

from crossfleet.foundation.errors import FieldViolation, InvalidArgument, PageTokenInvalid

_PAGE_BYTES = 8 << 20
_FOREIGN = PageTokenInvalid("not a token that this list gave out: start from the first page")


def page_size(asked: int, default: int, most: int) -> int:
    """The size of a page: the default for 0, at most `most`. Raises InvalidArgument for less than nothing."""
    if asked < 0:
        raise InvalidArgument(
            "page_size is negative", fields=[FieldViolation("page_size", f"0 (for {default}) to {most}")]
        )
    return min(asked or default, most)


def encode(position: Sequence[Any], *filters: Any) -> str:
    """A token for what follows `position` (JSON values) in a list with these filters."""
    text = json.dumps([_mark(filters), position], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(token: str, kinds: tuple[type, ...], *filters: Any) -> Any:
    """The position in a token, with values of these kinds; None for an empty token.

    Raises PageTokenInvalid when it is another list's, or made by hand.
    """
    if not token:
        return None
    try:
        mark, position = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise _FOREIGN from None
    if mark != _mark(filters):
        raise PageTokenInvalid("the token belongs to another list or filter: start from the first page")
    if not isinstance(position, list) or len(position) != len(kinds) or not all(map(_is, position, kinds)):
        raise _FOREIGN
    return position


def _is(value: Any, kind: type) -> bool:
    """Exactly that kind: a bool is no number here. Whole numbers must be such as SQL can hold."""
    return type(value) is kind and not (isinstance(value, int) and abs(value) >= 2**63)


def fitting(messages: Sequence[Message]) -> int:
    """How many of these messages a page can carry: as many as fit into half of the largest message, at least one."""
    room = _PAGE_BYTES
    for count, message in enumerate(messages):
        room -= message.ByteSize()
        if room < 0:
            return max(count, 1)
    return len(messages)


def _mark(filters: Any) -> int:
    return zlib.crc32(json.dumps(filters, default=list).encode())
