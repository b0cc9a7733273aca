"""Caches and logs of a data folder, and which of them go. The choice is pure; only `entries` and `remove` touch disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass

# Relative to the data folder; each child of such a folder is one entry.
_KINDS = (
    ("environment", ("cache/environments",)),
    ("content", ("cache/content",)),
    ("run log", ("logs/runs",)),
    ("log", ("logs",)),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that can be removed; `used_at` in seconds since 1970."""

    kind: str
    path: str
    size_bytes: int
    used_at: float


def entries(data: str) -> list[Entry]:
    """All that can be removed, oldest use first."""
    found: list[Entry] = []
    for kind, patterns in _KINDS:
        for pattern in patterns:
            for folder in _expand(data, pattern):
                names = [name for name in os.listdir(folder) if (kind, name) != ("log", "runs")]
                found += [_entry(kind, os.path.join(folder, name)) for name in names]
    return sorted(found, key=lambda entry: entry.used_at)


def choose(found: Iterable[Entry], now: float, older_than: float | None, larger_than: int | None) -> list[Entry]:
    """Those not used for `older_than` seconds, and the longest unused until at most `larger_than` bytes are left.

    With neither, all of them.
    """
    everything = sorted(found, key=lambda entry: entry.used_at)
    if older_than is None and larger_than is None:
        return everything
    old = [entry for entry in everything if older_than is not None and now - entry.used_at > older_than]
    rest = [entry for entry in everything if entry not in old]
    left = sum(entry.size_bytes for entry in rest)
    while larger_than is not None and rest and left > larger_than:
        entry = rest.pop(0)
        left -= entry.size_bytes
        old.append(entry)
    return old


def remove(entry: Entry) -> None:
    """Removes a folder or file. Raises OSError."""
    if os.path.isdir(entry.path) and not os.path.islink(entry.path):
        shutil.rmtree(entry.path)
    else:
        os.unlink(entry.path)


def _expand(data: str, pattern: str) -> list[str]:
    paths = [data]
    for part in pattern.split("/"):
        names = [os.listdir(path) if part == "*" else [part] for path in paths]
        paths = [os.path.join(path, name) for path, each in zip(paths, names, strict=True) for name in each]
        paths = [path for path in paths if os.path.isdir(path)]
    return paths


def _entry(kind: str, path: str) -> Entry:
    status = os.lstat(path)
    total, used = status.st_size, max(status.st_atime, status.st_mtime)
    for folder, _, files in os.walk(path):
        for name in files:
            total += os.lstat(os.path.join(folder, name)).st_blocks * 512
    return Entry(kind, path, total, used)
