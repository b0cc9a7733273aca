"""Versions as values that can be ordered, also inside a selector."""

import re
from dataclasses import dataclass
from functools import total_ordering

_SHAPE = re.compile(r"v?(\d+(?:\.\d+)*)(?:[-._+~]?([0-9A-Za-z][0-9A-Za-z.+~_-]*))?", re.ASCII)
_DIGITS = 18
_MAX_PARTS = 8
_PRE_RELEASE = re.compile(r"(?:a|b|c|rc|alpha|beta|dev|pre|preview)[.\-_]?\d*(?:$|[.+~_-])", re.IGNORECASE)


@total_ordering
@dataclass(frozen=True)
class Version:
    """A dotted version such as ``550.54.14`` or ``3.12.0rc1``; missing parts count as zero.

    A suffix that names a pre-release sorts before the plain version, any other suffix after it.
    Raises ValueError when the text does not start with a number or has too many or too long parts.
    """

    text: str

    def __post_init__(self) -> None:
        """Refuse a text that has no order, so that comparison can never fail later."""
        encode(self.text)

    def __lt__(self, other: "Version") -> bool:
        """Order by numbers, then by suffix."""
        return encode(self.text) < encode(other.text)

    def __eq__(self, other: object) -> bool:
        """Compare by order: ``550`` equals ``550.0``."""
        return isinstance(other, Version) and encode(self.text) == encode(other.text)

    def __hash__(self) -> int:
        """Hash what equality compares."""
        return hash(encode(self.text))

    def __str__(self) -> str:
        """Give the text as it was written."""
        return self.text


def encode(text: str) -> bytes:
    """Encode a version as bytes whose order is the order of versions.

    Selectors see versions as bytes: CEL orders bytes, and refuses to compare them with a string, so that
    ``device.driver >= "550"`` is a reported mistake and not a silent comparison of text.
    """
    found = _SHAPE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a version: write numbers with dots, such as 550.54")
    parts = found[1].split(".")
    if len(parts) > _MAX_PARTS or any(len(part) > _DIGITS for part in parts):
        raise ValueError(f"{text!r} is not a version: at most {_MAX_PARTS} parts of {_DIGITS} digits")
    while len(parts) > 1 and not parts[-1].strip("0"):
        parts.pop()
    numbers = ".".join(part.zfill(_DIGITS) for part in parts)
    suffix = found[2] or ""
    # ',' < '-' < '.': a pre-release, then the plain version, then a version with more parts.
    mark = "," if suffix and _PRE_RELEASE.match(suffix) else "-"
    return f"{numbers}{mark}{suffix.lower()}".encode()
