"""Stacks as faulthandler writes them, without what is the same below every test."""

from __future__ import annotations

import re

from crossfleet.worker.shim.zygote import ENTRY

_FRAME = re.compile(r'  File "(.*)", line \d+ in ')
_MACHINERY = ("/_pytest/", "/pluggy/", f"{ENTRY.parent}/")


def trimmed(text: str) -> str:
    """Return ``text`` with the outermost frames of each stack cut as far as they are pytest's and our own.

    A stack that consists of nothing else is left whole: then the machinery is what hangs.
    """
    lines: list[str] = []
    stack: list[str] = []
    for line in text.split("\n"):
        if _FRAME.match(line):
            stack.append(line)
        else:
            lines.extend(_without_machinery(stack))
            lines.append(line)
            stack = []
    return "\n".join([*lines, *_without_machinery(stack)])


def _without_machinery(stack: list[str]) -> list[str]:
    kept = len(stack)
    while kept and any(part in stack[kept - 1] for part in _MACHINERY):
        kept -= 1
    left = len(stack) - kept
    if not kept or not left:
        return stack
    return [*stack[:kept], f"  [crossfleet: {left} frames of pytest and its hooks left out]"]
