"""Characters that standard output's encoding does not have: they are written as JSON escapes them, in text as in JSON."""

from __future__ import annotations

import codecs
import io
import sys

_NAME = "crossfleet.escape"


def escape_unencodable() -> None:
    """From now on nothing that is printed raises UnicodeEncodeError. Call it where this process is the command."""
    codecs.register_error(_NAME, _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_NAME)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    pairs = (units[place : place + 2].hex() for place in range(0, len(units), 2))
    return "".join(f"\\u{pair}" for pair in pairs), error.end
