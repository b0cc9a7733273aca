"""Processes below another one, as Linux tells of them: their words and CPU seconds."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Process:
    """One process: its command, CPU seconds of itself, and those of children that it has waited for."""

    pid: int
    parent: int
    words: tuple[str, ...]
    own: float
    reaped: float


def descendants(root: int) -> list[Process]:
    """All processes below `root` that live now, without it."""
    children: dict[int, list[Process]] = {}
    for process in everything():
        children.setdefault(process.parent, []).append(process)
    found: list[Process] = []
    waiting = [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += [process.pid for process in below]
    return found


def everything() -> list[Process]:
    """All processes that this user may see."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                stat = Path("/proc", name, "stat").read_text().rpartition(")")[2].split()
                words = Path("/proc", name, "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
            except OSError:
                continue  # it has ended meanwhile
            user, system, reaped_user, reaped_system = (int(field) / _TICKS for field in stat[11:15])
            found.append(Process(int(name), int(stat[1]), tuple(words), user + system, reaped_user + reaped_system))
    return found
