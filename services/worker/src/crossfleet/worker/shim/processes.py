"""What /proc says of processes: parents, groups, environments, memory. Linux only; what has ended is skipped."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable

_PAGE = os.sysconf("SC_PAGE_SIZE")
# Not every kernel is built with it.
_CHILDREN_LISTED = os.path.exists(f"/proc/self/task/{os.getpid()}/children")


class Process:
    """One line of the process table."""

    __slots__ = ("group", "parent", "pid", "session")

    def __init__(self, pid: int, parent: int, group: int, session: int) -> None:
        self.pid = pid
        self.parent = parent
        self.group = group
        self.session = session


def table() -> dict[int, Process]:
    """Return all processes that this user may see, zombies left out."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        data = read(f"/proc/{name}/stat")
        # The name of the program, in parentheses, may hold anything.
        fields = data[data.rfind(b")") + 2 :].split()
        if len(fields) > 4 and fields[0] not in (b"Z", b"X"):
            found[int(name)] = Process(int(name), int(fields[1]), int(fields[2]), int(fields[3]))
    return found


def descendants(processes: dict[int, Process], roots: Iterable[int]) -> set[int]:
    """Return the pids below ``roots``, roots included when they are in the table."""
    children: dict[int, list[int]] = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process.pid)
    found: set[int] = set()
    waiting = [pid for pid in roots if pid in processes]
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting.extend(children.get(pid, ()))
    return found


def tree(root: int) -> set[int]:
    """Return ``root`` and all below it, while it lives, without a look at every process of the machine."""
    if not _CHILDREN_LISTED:
        return descendants(table(), [root])
    found: set[int] = set()
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        if pid in found:
            continue
        try:
            threads = os.listdir(f"/proc/{pid}/task")
        except OSError:
            continue
        found.add(pid)
        for thread in threads:
            waiting.extend(map(int, read(f"/proc/{pid}/task/{thread}/children").split()))
    return found


def carries(pid: int, mark: bytes) -> bool:
    """True when the environment with which ``pid`` was started holds ``mark`` (``NAME=value``)."""
    return mark in read(f"/proc/{pid}/environ").split(b"\0")


def catches(pid: int, number: int) -> bool:
    """True when ``pid`` has a handler of its own for a signal."""
    fields = read(f"/proc/{pid}/status").partition(b"SigCgt:")[2].split(None, 1)
    return bool(fields) and bool(int(fields[0], 16) >> (number - 1) & 1)


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process, pages that it shares with others counted in full. 0: it has ended."""
    fields = read(f"/proc/{pid}/statm").split()
    return int(fields[1]) * _PAGE if len(fields) > 1 else 0


def proportional_bytes(pid: int) -> int:
    """Return the resident memory of a process, each shared page divided by those who share it. Slow: milliseconds."""
    return counter(f"/proc/{pid}/smaps_rollup", b"Pss:") * 1024


def peak_bytes(pid: int) -> int:
    """Return the largest resident memory since the process began or ``forget_peak``."""
    return counter(f"/proc/{pid}/status", b"VmHWM:") * 1024


def forget_peak(pid: int) -> None:
    """Let ``peak_bytes`` start anew. Where the kernel refuses, peaks are of the process's whole life."""
    try:
        with open(f"/proc/{pid}/clear_refs", "wb", buffering=0) as file:
            file.write(b"5")
    except OSError:
        return


def send_signal(pid: int, number: int) -> None:
    """Signal one process; one that has ended is no error."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def signal_group(group: int, number: int) -> None:
    """Signal a process group; one that has ended is no error."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


def kill_marked(mark: bytes, spared: set[int]) -> int:
    """SIGKILL every process below this one that carries ``mark`` or descends from one that does; return how many.

    ``spared`` are processes that live on whatever they carry, and so do those below them. A process that forks while it is looked at is found in
    the next round; after ten rounds the rest is left to the end of the shim.
    """
    killed: set[int] = set()
    for _ in range(10):
        processes = table()
        below = descendants(processes, [os.getpid()]) - descendants(processes, spared)
        marked = {pid for pid in below if pid not in spared and pid != os.getpid() and carries(pid, mark)}
        doomed = {pid for pid in descendants(processes, marked) if pid not in spared} - killed
        if not doomed:
            break
        for pid in doomed:
            send_signal(pid, signal.SIGKILL)
        killed |= doomed
    return len(killed)


def counter(path: str, field: bytes) -> int:
    """Return the number behind ``field`` in a file of /proc; 0 where there is none."""
    data = read(path)
    start = data.find(field)
    if start < 0:
        return 0
    return int(data[start + len(field) :].split(None, 1)[0])


def read(path: str) -> bytes:
    """Return what a file of /proc holds; nothing where it is gone or not ours to read."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except OSError:
        return b""


def kill_all_below() -> None:
    """SIGKILL every descendant of this process, and those that appear meanwhile."""
    for _ in range(10):
        processes = table()
        doomed = descendants(processes, [os.getpid()]) - {os.getpid()}
        if not doomed:
            return
        for pid in doomed:
            send_signal(pid, signal.SIGKILL)
