"""The processors and the memory of this host, as far as this process may use them."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from crossfleet.worker.detectors.detector import Found

_GROUP = Path("/sys/fs/cgroup")


class CpuDetector:
    """One device `cpu-0` for all processors."""

    def present(self) -> bool:
        """Always."""
        return True

    def detect(self) -> Sequence[Found]:
        """Model, vendor, architecture, cores, features, memory."""
        info = _cpu_info()
        return [
            {
                "device_id": "cpu-0",
                "device_class": "cpu",
                "attributes": {
                    "model": info.get("model name") or platform.processor() or "unknown",
                    "vendor": _vendor(info),
                    "architecture": platform.machine(),
                    "cores": cores(),
                    "features": (info.get("flags") or info.get("Features") or "").split(),
                    "memory": memory_bytes(),
                },
                "capacities": {"cores": cores(), "memory": memory_bytes()},
                "conditions": [],
            }
        ]


def cores() -> int:
    """Processors that this process may use: its affinity, and the quota of its control group."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _read(_GROUP / "cpu.max").partition(" ")
    if quota.isdigit() and period.strip().isdigit():
        usable = min(usable, max(1, int(quota) // int(period)))
    return usable


def memory_bytes() -> int:
    """Memory that this process may use, in bytes: of the host, or the limit of its control group."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _read(_GROUP / "memory.max").strip()
    return min(total, int(limit)) if limit.isdigit() else total


def _cpu_info() -> dict[str, str]:
    """The first processor's block of /proc/cpuinfo; empty where there is none."""
    block = _read(Path("/proc/cpuinfo")).partition("\n\n")[0]
    pairs = (line.partition(":") for line in block.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _vendor(info: dict[str, str]) -> str:
    known = {"GenuineIntel": "intel", "AuthenticAMD": "amd"}
    vendor = info.get("vendor_id", "")
    return known.get(vendor, vendor.lower() or ("arm" if "CPU implementer" in info else "unknown"))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
