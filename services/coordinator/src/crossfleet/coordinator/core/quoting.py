"""Names as messages quote them: what there is not may have been asked for at any length, and what follows is to be read."""

from __future__ import annotations

from reprlib import Repr

_SHOWN = Repr()
_SHOWN.maxstring = 60


def quoted(name: str) -> str:
    """The name in quotes; of a long one the beginning and the end."""
    return _SHOWN.repr(name)


def cut(name: str) -> str:
    """The same without quotes, as it would be typed."""
    return quoted(name)[1:-1]
