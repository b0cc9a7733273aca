"""Small files of /proc and /sys, which may be missing or refuse to be read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def text(path: Path) -> str:
    """What a file says, without white space around it; nothing where it cannot be read."""
    try:
        return path.read_text("ascii", "replace").strip()
    except OSError:
        return ""


def number(path: Path) -> int | None:
    """The whole number that a file holds; None where it holds none. A sensor that is switched off refuses to be read."""
    try:
        return int(text(path))
    except ValueError:
        return None


def numbers(paths: Iterable[Path]) -> list[int]:
    """The numbers of those files that hold one."""
    return [found for found in map(number, paths) if found is not None]
