"""Colours, where they are wanted."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
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


def painter(choice: str, stream: TextIO | None = None) -> Paint:
    """By `--color`: always, never, or auto (a terminal, and NO_COLOR is not set)."""
    if choice == "auto":
        target = stream or sys.stdout
        choice = "always" if target.isatty() and "NO_COLOR" not in os.environ else "never"
    return coloured if choice == "always" else plain
