"""Page tokens (AIP-158): where a list goes on, bound to the list and its filter."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from typing import Any

from crossfleet.foundation.errors import FieldViolation, InvalidArgument, PageTokenInvalid


def page_size(asked: int, default: int, most: int) -> int:
    """The size of a page: the default for 0, at most `most`. Raises InvalidArgument for less than nothing."""
    if asked < 0:
        raise InvalidArgument(
            "page_size is negative", fields=[FieldViolation("page_size", f"0 (for {default}) to {most}")]
        )
    return min(asked or default, most)


def encode(position: Any, *filters: Any) -> str:
    """A token for what follows `position` (JSON values) in a list with these filters."""
    text = json.dumps([_mark(filters), position], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(token: str, *filters: Any) -> Any:
    """The position in a token, None for an empty one. Raises PageTokenInvalid when it is another list's."""
    if not token:
        return None
    try:
        mark, position = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, TypeError, binascii.Error):
        raise PageTokenInvalid("not a token that this list gave out: start from the first page") from None
    if mark != _mark(filters):
        raise PageTokenInvalid("the token belongs to another list or filter: start from the first page")
    return position


def _mark(filters: Any) -> int:
    return zlib.crc32(json.dumps(filters, default=list).encode())
