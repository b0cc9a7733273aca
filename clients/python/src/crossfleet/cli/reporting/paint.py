"""Colours, where they are wanted."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import TextIO

Paint = Callable[[str, str], str]
"""`paint(text, style)`: the text in that style, or as it is."""

_CODES = {"red": "31", "green": "32", "yellow": "33", "bold": "1", "dim": "2"}


def plain(text: str, style: str) -> str:
    """The text as it is."""
    return text


def coloured(text: str, style: str) -> str:
    """The text between escape codes."""
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if text else text


def painter(choice: str, stream: TextIO | None = None, *, in_ci: bool = False) -> Paint:
    """By `--color`: always, never, or auto.

    Auto follows PY_COLORS, NO_COLOR and FORCE_COLOR as pytest does; without them it is a terminal that can, or a log
    that shows colours (`in_ci`).
    """
    return coloured if wants_colour(choice, stream or sys.stdout, os.environ, in_ci=in_ci) else plain


def wants_colour(choice: str, stream: TextIO, environment: Mapping[str, str], *, in_ci: bool = False) -> bool:
    """What `painter` decides. Pure but for the question whether the stream is a terminal."""
    if choice in ("always", "yes"):
        return True
    if choice in ("never", "no") or environment.get("PY_COLORS") == "0":
        return False
    if environment.get("PY_COLORS") == "1":
        return True
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR") or in_ci:
        return True
    return stream.isatty() and environment.get("TERM") != "dumb"
