"""Resident memory of processes."""

from __future__ import annotations

import os


def resident_bytes(*pids: int) -> int:
    """Resident memory of these processes together, in bytes; those that cannot be read count nothing."""
    return sum(_resident(pid) for pid in pids)


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
