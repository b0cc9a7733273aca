"""The NUMA nodes of a host: parts of its processors and memory that are near to each other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from crossfleet.worker.detectors import sysfs

_KIBIBYTE = 1024


@dataclass(frozen=True, slots=True)
class NumaNode:
    """One of them, with its number, its processors and the bytes of its memory."""

    number: int
    cpus: frozenset[int]
    memory: int


def numa_nodes(root: Path) -> list[NumaNode]:
    """Those that have processors, by number; some hosts have others, of memory alone."""
    found = []
    for folder in sysfs.numbered(root / "sys/devices/system/node", "node"):
        cpus = sysfs.cpus(sysfs.text(folder / "cpulist"))
        if cpus:
            found.append(NumaNode(int(folder.name.removeprefix("node")), frozenset(cpus), _memory(folder)))
    return found


def _memory(folder: Path) -> int:
    """Of lines such as `Node 0 MemTotal:       65536000 kB`."""
    for line in sysfs.text(folder / "meminfo").splitlines():
        words = line.split()
        if len(words) > 3 and words[2] == "MemTotal:" and words[3].isdigit():
            return int(words[3]) * _KIBIBYTE
    return 0
