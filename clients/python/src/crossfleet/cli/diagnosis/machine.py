"""This machine: data folder, runtime folder, cores, memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

from crossfleet.cli.diagnosis.finding import Finding
from crossfleet.cli.fleet import folders
from crossfleet.cli.fleet.cores import usable_cores
from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.filesystems import filesystem_type, refuse_network_filesystem

_LITTLE_SPACE = 1024**3
_LITTLE_MEMORY = 1024**3


def examine(data: str) -> Iterator[Finding]:
    """Where data and sockets would lie, and how much there is of what."""
    yield from _data_folder(data)
    yield _runtime_folder()
    yield Finding("cores", "ok", f"{usable_cores():g} of {os.cpu_count()} usable (affinity and cgroup)")
    yield _memory()
    yield _cgroup()


def _data_folder(data: str) -> Iterator[Finding]:
    existing = data
    while not os.path.isdir(existing):
        existing = os.path.dirname(existing)
    if not os.access(existing, os.W_OK):
        yield Finding("data folder", "fail", f"{existing} is not writable", "chown it, or give another with --data")
        return
    try:
        refuse_network_filesystem(existing)
    except CrossfleetError as error:
        yield Finding("data folder", "fail", str(error), "give a folder on a local disk with --data")
        return
    mode = os.stat(existing).st_mode & 0o077 if existing == data else 0
    if mode:
        yield Finding("data folder", "warn", f"others can enter {data}", f"chmod 700 {data}")
    else:
        yield Finding("data folder", "ok", f"{data} ({filesystem_type(existing)})")
    free = shutil.disk_usage(existing).free
    text = f"{free / 1e9:.1f} GB free"
    yield Finding("disk", "warn", text, "crossfleet clean") if free < _LITTLE_SPACE else Finding("disk", "ok", text)


def _runtime_folder() -> Finding:
    try:
        made = folders.make_runtime_folder()
    except OSError as error:
        return Finding("runtime folder", "fail", str(error), "set XDG_RUNTIME_DIR to a short, writable folder")
    folders.remove_runtime_folder(made)
    return Finding("runtime folder", "ok", os.path.dirname(made))


def _memory() -> Finding:
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            found = dict(line.split(":", 1) for line in lines)
        available = int(found["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return Finding("memory", "warn", "cannot be read here")
    text = f"{available / 1e9:.1f} GB available"
    if available < _LITTLE_MEMORY:
        return Finding("memory", "warn", text, "end other programs, or use fewer slots (--slots)")
    return Finding("memory", "ok", text)


def _cgroup() -> Finding:
    if not os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
        return Finding("cgroup v2", "warn", "not there: --memory-limit is kept by watching resident memory")
    if os.access("/sys/fs/cgroup", os.W_OK):
        return Finding("cgroup v2", "ok", "writable: --memory-limit is kept by the kernel")
    return Finding("cgroup v2", "ok", "read-only: --memory-limit is kept by watching resident memory")
