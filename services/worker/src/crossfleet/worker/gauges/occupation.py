"""Who uses the processors, from procfs: sums of seconds, of which two readings tell what was between them."""

from __future__ import annotations

import os
from pathlib import Path

from crossfleet.worker.detectors.sysfs import text
from crossfleet.worker.shim import processes

_TICK = 1.0 / os.sysconf("SC_CLK_TCK")
_IDLE, _WAITING_FOR_DISKS = 3, 4
_TOLD = 8
"""Of the fields of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal. Guests are in user and nice already."""


def busy_seconds(proc: Path) -> float | None:
    """Processor time that was used, or taken away by a hypervisor, since the start; summed over all processors."""
    fields = text(proc / "stat").partition("\n")[0].split()
    if len(fields) < _TOLD + 1 or fields[0] != "cpu":
        return None
    ticks = [int(field) for field in fields[1 : _TOLD + 1]]
    return (sum(ticks) - ticks[_IDLE] - ticks[_WAITING_FOR_DISKS]) * _TICK


def pressed_seconds(proc: Path) -> float | None:
    """For how long something waited for a processor since the start; None where the kernel does not tell."""
    for line in text(proc / "pressure/cpu").splitlines():
        kind, *values = line.split()
        total = next((value for value in values if value.startswith("total=")), "")
        if kind == "some" and total:
            return int(total.removeprefix("total=")) / 1e6
    return None


def own_seconds(root: int) -> float:
    """Processor time that a process and all below it have used, also those that have ended and were waited for."""
    total = 0
    for pid in processes.tree(root):
        data = processes.read(f"/proc/{pid}/stat")
        fields = data[data.rfind(b")") + 2 :].split()
        total += sum(map(int, fields[11:15]))
    return total * _TICK
