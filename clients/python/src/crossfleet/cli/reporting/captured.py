"""Bytes that a test left, as text: whatever they are."""

from __future__ import annotations

import re

# What terminals take as commands: colours, cursor movements, titles.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
# What neither HTML nor XML 1.0 can hold, however it is written.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010ffff]")

_STRIPPED_SOURCE = re.compile(r"(\A|_\n)(?=def |async def |class |@)")


def decoded(content: bytes) -> str:
    """The text, with backslashes where it is not UTF-8, without line ends behind it."""
    return content.decode("utf-8", "backslashreplace").rstrip("\n")


def written(text: str) -> str:
    """The text for a document: no escape codes, `#x1B` for characters that a document cannot hold."""
    return _UNWRITABLE.sub(lambda found: f"#x{ord(found[0]):02X}", _ESCAPES.sub("", text))


def middle_cut(text: str, limit: int) -> str:
    """At most about `limit` characters, a mark where the middle was left out."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n[{len(text) - 2 * half} characters left out here]\n{text[-half:]}"


def indented(text: str) -> str:
    """Pytest strips each text of a failure as a whole, and with it the indentation of a first line of source."""
    return _STRIPPED_SOURCE.sub("\\1    ", text)
