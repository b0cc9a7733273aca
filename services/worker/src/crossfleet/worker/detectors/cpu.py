"""The processors and the memory of this host, as far as this process may use them."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from crossfleet.worker.detectors import sysfs
from crossfleet.worker.detectors.detector import Found
from crossfleet.worker.detectors.numa import numa_nodes
from crossfleet.worker.detectors.processor import Block, blocks_of, built
from crossfleet.worker.detectors.system import system

_ROOT = Path("/")
_GROUP = "sys/fs/cgroup"


class CpuDetector:
    """One device `cpu-0` for all processors."""

    def __init__(self, root: Path = _ROOT) -> None:
        """`root` is the folder in which sys and proc lie."""
        self._root = root

    def present(self) -> bool:
        """Always."""
        return True

    def detect(self) -> Sequence[Found]:
        """Model, vendor, architecture, cores, features, memory; caches, clock, NUMA nodes; kernel, C library, large pages."""
        blocks = blocks_of(sysfs.text(self._root / "proc/cpuinfo"))
        first = blocks[0] if blocks else {}
        return [
            {
                "device_id": "cpu-0",
                "device_class": "cpu",
                "attributes": {
                    "model": first.get("model name") or platform.processor() or "unknown",
                    "vendor": _vendor(first),
                    "architecture": platform.machine(),
                    "cores": cores(),
                    "features": (first.get("flags") or first.get("Features") or "").split(),
                    "memory": memory_bytes(),
                    **built(self._root, blocks),
                    **_nodes(self._root),
                    **system(self._root),
                },
                "capacities": {"cores": cores(), "memory": memory_bytes()},
                "conditions": [],
            }
        ]


def cores() -> int:
    """Processors that this process may use: its affinity, and the quota of its control group."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = sysfs.text(_ROOT / _GROUP / "cpu.max").partition(" ")
    if quota.isdigit() and period.isdigit():
        usable = min(usable, max(1, int(quota) // int(period)))
    return usable


def memory_bytes() -> int:
    """Memory that this process may use, in bytes: of the host, or the limit of its control group."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = sysfs.text(_ROOT / _GROUP / "memory.max")
    return min(total, int(limit)) if limit.isdigit() else total


def _nodes(root: Path) -> dict[str, object]:
    """How many NUMA nodes there are, and the processors and bytes of the largest: what one process can have near to it."""
    nodes = numa_nodes(root)
    if not nodes:
        return {}
    return {
        "numa_nodes": len(nodes),
        "numa_cores": max(len(one.cpus) for one in nodes),
        "numa_memory": max(one.memory for one in nodes),
    }


def _vendor(first: Block) -> str:
    known = {"GenuineIntel": "intel", "AuthenticAMD": "amd"}
    vendor = first.get("vendor_id", "")
    return known.get(vendor, vendor.lower() or ("arm" if "CPU implementer" in first else "unknown"))
