"""A piece of a report for people."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """Lines of a report. A CI that folds its log shows `fold` alone, until somebody opens it; empty: always open."""

    text: str
    fold: str = ""


def ruler(title: str, width: int, fill: str = "=") -> str:
    """`===== title =====`, as pytest draws it."""
    sides = max((width - 1 - len(title) - 2) // 2, 1)
    line = f"{fill * sides} {title} {fill * sides}"
    return line + fill if len(line) + 1 < width else line
