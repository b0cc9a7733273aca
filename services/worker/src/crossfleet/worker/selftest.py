"""What a worker looks at when it is asked whether its host, or one of its devices, is well."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from crossfleet.api.types.v1.device_pb2 import Device
from crossfleet.worker.inventory import BROKEN, Inventory

_WRITTEN_BYTES = 1 << 20
_LEAST_DISK_BYTES = 16 << 20
_LEAST_MEMORY_BYTES = 64 << 20
_SPAWN_SECONDS = 20.0
_SPAWNED = "import hashlib, json, socket, subprocess; print(6 * 7)"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what, whether it is as it should be, and a line about it."""

    name: str
    good: bool
    text: str


class SelfTest:
    """Looks at disks, memory, the birth of a process, and devices. Changes nothing but a file that it removes again."""

    def __init__(self, folders: Sequence[Path], inventory: Inventory) -> None:
        """`folders` are those that the worker writes to: its state, its cache."""
        self._folders = folders
        self._inventory = inventory

    async def host(self) -> list[Finding]:
        """The findings about the host. Does not raise; takes half a minute at most."""
        found = [await asyncio.to_thread(_guarded, "disk", partial(_disk, one)) for one in self._folders]
        found.append(await asyncio.to_thread(_guarded, "memory", _memory))
        found.append(await asyncio.to_thread(_guarded, "process", _process))
        return found

    async def device(self, device_id: str) -> list[Finding]:
        """The finding about a device: whether its detector sees it, and in good condition. Does not raise."""
        await self._inventory.look()
        found = self._inventory.by_id.get(device_id)
        wrong = self._inventory.left_out(found.detector).get(device_id) if found is not None else None
        if wrong:
            return [Finding("devices", False, f"{device_id} is described wrongly: {wrong}"[:500])]
        return [_device(device_id, found, self._inventory.errors)]


def _guarded(name: str, look: Callable[[], str]) -> Finding:
    """What `look` says, or what it raised."""
    try:
        return Finding(name, True, look())
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return Finding(name, False, str(error)[:500])


def _disk(folder: Path) -> str:
    """Write, sync, read back, remove."""
    content = os.urandom(_WRITTEN_BYTES)
    path = folder / f".selftest-{os.getpid()}"
    try:
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if hashlib.sha256(path.read_bytes()).digest() != hashlib.sha256(content).digest():
            raise ValueError(f"{folder} gives back other bytes than were written")
    finally:
        path.unlink(missing_ok=True)
    usage = shutil.disk_usage(folder)
    free = f"{usage.free >> 20} MiB of {usage.total >> 20} are free"
    if usage.free < min(_LEAST_DISK_BYTES, usage.total // 10):
        raise ValueError(f"{folder} has too little room: {free}")
    return f"{folder} takes and keeps what is written, {free}"


def _memory() -> str:
    """What the kernel thinks can be had without swapping."""
    with open("/proc/meminfo") as file:
        lines = dict(line.split(":", 1) for line in file)
    free = int(lines["MemAvailable"].split()[0]) << 10
    if free < _LEAST_MEMORY_BYTES:
        raise ValueError(f"only {free >> 20} MiB of memory can be had")
    return f"{free >> 20} MiB can be had"


def _process() -> str:
    """An interpreter starts, imports and answers."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", _SPAWNED],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SPAWN_SECONDS,
        check=False,
    )
    if done.returncode or done.stdout.strip() != "42":
        last = done.stderr.strip().splitlines()[-1:] or [f"it ended with status {done.returncode}"]
        raise ValueError(f"an interpreter does not run: {last[0]}")
    return "an interpreter starts and answers"


def _device(device_id: str, found: Device | None, errors: dict[str, str]) -> Finding:
    if found is None:
        why = "; ".join(f"{name}: {cause}" for name, cause in sorted(errors.items()))
        return Finding("devices", False, f"{device_id} is gone{f' ({why})' if why else ''}"[:500])
    bad = sorted(BROKEN.intersection(found.conditions))
    if bad:
        return Finding("devices", False, f"{device_id} is {', '.join(bad)}")
    if found.detector in errors:
        return Finding("devices", False, f"its detector gave no answer: {errors[found.detector]}"[:500])
    return Finding("devices", True, f"{found.detector} sees {device_id}")
