"""Which processes belong to a fleet: those whose command line or environment name its folder."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from crossfleet.foundation.wait import eventually


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def alive(process: Path) -> bool:
    """Whether a process, by its folder below /proc, is there and no zombie."""
    state = _read(process / "stat").rpartition(b")")[2].split()
    return bool(state) and state[0] not in (b"Z", b"X")


def processes_of(folder: Path, *words: str) -> dict[int, str]:
    """Living processes that name `folder`, with their command lines; of those with `words` only what has all of them.

    A runner is known by the CROSSFLEET_ variables that it was started with, whatever it exec'ed since.
    """
    found: dict[int, str] = {}
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        command = _read(process / "cmdline").replace(b"\0", b" ")
        mine = b"\n".join(
            variable for variable in _read(process / "environ").split(b"\0") if variable.startswith(b"CROSSFLEET_")
        )
        text = (command + mine).decode("utf-8", "replace")
        if str(folder) in text and all(word in text for word in words) and alive(process):
            found[int(process.name)] = command.decode("utf-8", "replace")
    return found


def runners_of(folder: Path) -> dict[int, str]:
    """Zygotes, slots and whatever tests started, but no interpreters that only wait for a run."""
    found = processes_of(folder, "CROSSFLEET_ALLOCATION_TOKEN=")
    return {pid: command for pid, command in found.items() if _read(Path(f"/proc/{pid}/comm")).strip() != b"cf-waiting"}


def shims_of(folder: Path) -> dict[int, str]:
    """The shims of workers below `folder`."""
    return processes_of(folder, "crossfleet.worker.shim")


def kill_all(processes: dict[int, str]) -> None:
    """SIGKILL to each."""
    for process in processes:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            pass


async def all_gone(folder: Path, seconds: float = 30.0) -> bool:
    """Wait until no process of a folder is left."""
    await eventually(lambda: not processes_of(folder), deadline=seconds, what=f"no process of {folder} is left")
    return True
