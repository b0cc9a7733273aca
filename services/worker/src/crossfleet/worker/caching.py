"""Keeps what workers of a host share small: files and environments that were not used for long go."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crossfleet.foundation.logs import get_logger

_EVERY_SECONDS = 3600.0
_FIRST_SECONDS = 120.0
_DAY = 86_400.0
# Whatever the limits say: a run that uses it may still go on.
_LEAST_AGE = _DAY


@dataclass(frozen=True, slots=True)
class Cached:
    """A file, or an environment; `used_at` in unix seconds."""

    path: Path
    size: int
    used_at: float


async def keep_small(cache: Path, days: float, most_bytes: int) -> None:
    """Look every hour, until cancelled. `days` and `most_bytes` of 0: no limit."""
    await asyncio.sleep(_FIRST_SECONDS)
    while days or most_bytes:
        removed = await asyncio.to_thread(remove_old, cache, days, most_bytes, time.time())
        if removed:
            size = sum(one.size for one in removed)
            get_logger().info("cached files and environments were removed", number=len(removed), bytes=size)
        await asyncio.sleep(_EVERY_SECONDS)


def remove_old(cache: Path, days: float, most_bytes: int, now: float) -> list[Cached]:
    """Remove what was not used for `days`, and the longest unused until at most `most_bytes` are left; answers it.

    Does not raise: what cannot be removed, or is removed by another worker, is passed over.
    """
    found = sorted(_entries(cache), key=lambda one: one.used_at)
    left = sum(one.size for one in found)
    removed = []
    for one in found:
        age = now - one.used_at
        if age < _LEAST_AGE or not ((days and age > days * _DAY) or (most_bytes and left > most_bytes)):
            break
        if _removed(one.path):
            removed.append(one)
            left -= one.size
    return removed


def _entries(cache: Path) -> Iterator[Cached]:
    for path in cache.glob("content/*/*"):
        yield from _cached(path, deep=False)
    for path in cache.glob("environments/*"):
        if path.is_dir() and not path.name.endswith(".building"):
            yield from _cached(path, deep=True)


def _cached(path: Path, *, deep: bool) -> Iterator[Cached]:
    try:
        status = path.stat()
        size = sum(os.lstat(os.path.join(parent, name)).st_size for parent, _, names in os.walk(path) for name in names)
        yield Cached(path, size if deep else status.st_size, status.st_mtime)
    except FileNotFoundError:
        return  # another worker was faster


def _removed(path: Path) -> bool:
    try:
        if not path.is_dir():
            path.unlink()
            return True
        # Out of the way first, so that nobody takes up half an environment.
        going = path.with_name(f"{path.name}.building")
        path.rename(going)
        shutil.rmtree(going, ignore_errors=True)
        path.with_name(f"{path.name}.txt").unlink(missing_ok=True)
    except OSError:
        return False
    return True
