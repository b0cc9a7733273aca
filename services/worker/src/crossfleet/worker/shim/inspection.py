"""What processes are doing, as far as /proc tells: for whoever must say why a case hangs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from crossfleet.worker.shim.processes import read
from crossfleet.worker.shim.zygote import ENTRY

_MOST_PROCESSES = 16
_MOST_THREADS = 8
_MOST_COMMAND = 200
_STATES = {"R": "running", "S": "sleeping", "D": "waiting for a device or file system", "T": "stopped", "Z": "ended"}
_TICKS = os.sysconf("SC_CLK_TCK")


def describe(root: int, family: Iterable[int]) -> str:
    """Say of ``root`` and its ``family``, in lines: command, state, where the kernel holds it, age, CPU time, threads.

    Those that have ended are left out; after 16 processes only a count follows.
    """
    others = sorted(pid for pid in family if pid != root)
    lines: list[str] = []
    shown = [root, *others][:_MOST_PROCESSES]
    for pid in shown:
        lines.extend(_process(pid))
    left = 1 + len(others) - len(shown)
    return "\n".join([*lines, *([f"and {left} more processes"] if left else [])])


def _process(pid: int) -> list[str]:
    folder = f"/proc/{pid}"
    data = read(f"{folder}/stat")
    fields = data[data.rfind(b")") + 2 :].split()
    if len(fields) < 20:
        return []
    state = fields[0].decode()
    busy = (int(fields[11]) + int(fields[12])) / _TICKS
    age = max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / _TICKS)
    head = f"process {pid}, child of {int(fields[1])}: {_command(folder)}"
    line = f"    {_STATES.get(state, state)}{_where(folder)}; {busy:.2f} s of CPU in {age:.1f} s"
    return [head, line, *_threads(folder, pid), *_kernel_stack(folder, state)]


def _command(folder: str) -> str:
    words = read(f"{folder}/cmdline").replace(b"\0", b" ").decode("utf-8", "replace").strip()
    if str(ENTRY) in words:
        return "the slot's process, or a fork of it"
    words = words or f"[{read(f'{folder}/comm').decode('utf-8', 'replace').strip()}]"
    # What stands in a source given by -c may hold line ends.
    words = " ".join(words.split())
    return words if len(words) <= _MOST_COMMAND else words[:_MOST_COMMAND] + " ..."


def _where(folder: str) -> str:
    """Name the function of the kernel in which it waits, where the kernel tells."""
    name = read(f"{folder}/wchan").decode("ascii", "replace").strip()
    return f" in {name}" if name not in ("", "0") else ""


def _threads(folder: str, pid: int) -> list[str]:
    try:
        others = sorted(int(name) for name in os.listdir(f"{folder}/task") if int(name) != pid)
    except OSError:
        return []
    lines = []
    for thread in others[:_MOST_THREADS]:
        own = f"{folder}/task/{thread}"
        name = read(f"{own}/comm").decode("utf-8", "replace").strip()
        lines.append(f"    thread {thread} ({name}){_where(own)}")
    left = len(others) - _MOST_THREADS
    return [*lines, *([f"    and {left} more threads"] if left > 0 else [])]


def _kernel_stack(folder: str, state: str) -> list[str]:
    """What the kernel does for a process that no signal reaches; only the superuser may read it."""
    if state != "D":
        return []
    return [f"      {line}" for line in read(f"{folder}/stack").decode("ascii", "replace").splitlines()]
