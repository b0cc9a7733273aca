"""Memory limits by cgroup v2, where this process was given a subtree of its own (systemd's ``Delegate=yes``).

Elsewhere the watch on resident memory is all there is; where cgroups serve, the watch stays as the account of peaks.
"""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


class Cgroups:
    """Makes a group per slot below ``folder``, which must offer the memory controller to its children."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def confine(self, name: str, pid: int, memory_bytes: int) -> Cgroup | None:
        """Put ``pid``, and with it all that it will start, under a limit. None when the kernel refuses."""
        path = self._folder / name
        try:
            path.mkdir()
        except OSError:
            return None
        group = Cgroup(path)
        try:
            _write(path / "memory.max", str(memory_bytes))
            if (path / "memory.swap.max").exists():
                _write(path / "memory.swap.max", "0")
            # All of a slot or none of it: half a test is no test.
            _write(path / "memory.oom.group", "1")
            _write(path / "cgroup.procs", str(pid))
        except OSError:
            group.remove()
            return None
        return group


class Cgroup:
    """The group of one slot's process."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ran_out(self) -> bool:
        """True when the kernel has killed something here because of this group's limit, not of the host's."""
        try:
            lines = (self._path / "memory.events").read_text().splitlines()
        except OSError:
            return False
        counts = dict(line.split(" ", 1) for line in lines if " " in line)
        return int(counts.get("oom_kill", "0")) > 0 and int(counts.get("oom", "0")) > 0

    def peak_bytes(self) -> int:
        """Return the most memory that the group has held; 0 where the kernel does not say."""
        try:
            return int((self._path / "memory.peak").read_text())
        except (OSError, ValueError):
            return 0

    def kill(self) -> None:
        """SIGKILL everything in the group, escaped sessions included, where the kernel can."""
        try:
            _write(self._path / "cgroup.kill", "1")
        except OSError:
            return

    def remove(self) -> bool:
        """Remove the group. False while a process in it is still ending: try again later."""
        try:
            self._path.rmdir()
        except OSError:
            return not self._path.exists()
        return True


def delegated(root: Path = ROOT, membership: Path = Path("/proc/self/cgroup")) -> Cgroups | None:
    """Return the cgroups that this process may make, or None: no cgroup v2, no memory controller, not ours to write.

    A group whose children have controllers must hold no process itself, so the groups of slots are made beside this
    process's own group, in its parent, as ``Delegate=yes`` with ``DelegateSubgroup=`` arranges it.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return None
    own = next((line[3:] for line in lines if line.startswith("0::")), "")
    if own in ("", "/") or not (root / "cgroup.controllers").exists():
        return None
    parent = (root / own.lstrip("/")).parent
    try:
        offered = (parent / "cgroup.subtree_control").read_text().split()
    except OSError:
        return None
    if "memory" not in offered or not os.access(parent, os.W_OK) or not _handed_over(parent):
        return None
    return Cgroups(parent)


def _handed_over(folder: Path) -> bool:
    """True when systemd has marked this subtree as delegated; one that it manages itself is not ours, root or not."""
    for name in ("user.delegate", "trusted.delegate"):
        try:
            if os.getxattr(folder, name) == b"1":
                return True
        except OSError:
            continue
    return False


def _write(path: Path, text: str) -> None:
    """Write to a file of the kernel's: never create one."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode("ascii"))
    finally:
        os.close(descriptor)
