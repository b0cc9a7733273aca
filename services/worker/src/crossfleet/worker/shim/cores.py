"""Where a process that crashed left its memory, and the command that shows its native backtrace."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from crossfleet.worker.shim.processes import read

_KNOWN = {"p": "{pid}", "P": "{pid}", "i": "{pid}", "I": "{pid}", "%": "%"}


def core_hint(
    pid: int, program: str, folder: str, since: float, pattern: str = "", with_pid: bool | None = None
) -> str:
    """Return the command for the backtrace of ``pid``, whose core the kernel says it has written; "" where it is gone.

    ``program`` is what crashed, ``folder`` where it ran, ``since`` (seconds since 1970) when its case began: older
    files are not its own. ``pattern`` and ``with_pid``: instead of the kernel's core_pattern and core_uses_pid.
    """
    pattern = pattern or read("/proc/sys/kernel/core_pattern").decode("utf-8", "surrogateescape").strip()
    if pattern.startswith("|"):
        return f"coredumpctl gdb {pid}" if "systemd-coredump" in pattern else ""
    if with_pid is None:
        with_pid = read("/proc/sys/kernel/core_uses_pid").strip() == b"1"
    path = _newest(Path(folder), _as_glob(pattern, pid, with_pid=with_pid), since)
    return f"gdb {shlex.quote(program or sys.executable)} {shlex.quote(str(path))} -batch -ex bt" if path else ""


def _as_glob(pattern: str, pid: int, *, with_pid: bool) -> str:
    """Turn a core_pattern into a pattern of file names: the pid is known, the rest may be anything."""
    found, names_pid = "", False
    letters = iter(pattern)
    for letter in letters:
        if letter != "%":
            found += f"[{letter}]" if letter in "*?[" else letter
            continue
        kind = next(letters, "")
        names_pid = names_pid or kind in ("p", "P", "i", "I")
        found += _KNOWN.get(kind, "*" if kind else "").format(pid=pid)
    return found + (f".{pid}" if with_pid and not names_pid else "")


def _newest(folder: Path, glob: str, since: float) -> Path | None:
    root = Path("/") if glob.startswith("/") else folder
    try:
        found = [(path.stat().st_mtime, path) for path in root.glob(glob.lstrip("/")) if path.is_file()]
    except (OSError, ValueError, NotImplementedError):
        return None
    # File systems may round a time of writing down.
    fresh = [one for one in found if one[0] >= since - 2]
    return max(fresh)[1] if fresh else None
