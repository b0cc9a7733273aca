"""Cursors of the event log: `<seq>.<index>`."""

from __future__ import annotations

import re

from crossfleet.foundation.errors import FieldViolation, InvalidArgument

Position = tuple[int, int]
_CURSOR = re.compile(r"(\d{1,18})\.(\d{1,10})")
BEGINNING: Position = (0, -1)


def end_of(seq: int) -> Position:
    """The position behind every event of a commit."""
    return seq, 1 << 30


def text(position: Position) -> str:
    """A position as a cursor; of what lies before every event: `0`."""
    return f"{position[0]}.{position[1]}" if position[1] >= 0 else "0"


def parse(cursor: str, last: Position) -> Position:
    """The position of a cursor; the empty one is `last`, the end of the log. Raises InvalidArgument."""
    if not cursor:
        return last
    if cursor == "0":
        return BEGINNING
    found = _CURSOR.fullmatch(cursor)
    position = (int(found[1]), int(found[2])) if found else None
    if position is None or position > last:
        raise InvalidArgument(
            "not a cursor of this log",
            fields=[
                FieldViolation("after", "a cursor that was received, 0 for the first event, or empty for what comes")
            ],
        )
    return position
