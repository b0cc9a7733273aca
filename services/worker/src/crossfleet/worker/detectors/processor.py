"""How the processors of a host are built: cores, caches, clocks, and whether all of them are of one kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from crossfleet.worker.detectors import sysfs

_CPUS = "sys/devices/system/cpu"
_KILOHERTZ = 1000
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
# Kinds differ by far more; what firmware says of the best cores of one kind differs by less.
_SLOWER = 0.8

Block = Mapping[str, str]
"""What /proc/cpuinfo says of one processor."""


def built(root: Path, blocks: Sequence[Block]) -> dict[str, object]:
    """Attributes that say how the processors are built, as far as the kernel tells."""
    cores = {
        (block["physical id"], block["core id"]) for block in blocks if "core id" in block and "physical id" in block
    }
    sockets = {block["physical id"] for block in blocks if "physical id" in block}
    flags = blocks[0].get("flags", "").split() if blocks else []
    fast, slow = _kinds(root)
    return sysfs.known(
        (
            ("physical_cores", len(cores) or None),
            ("sockets", len(sockets) or None),
            ("threads", len(blocks) // len(cores) if cores else None),
            ("l2_cache", _cache(root, 2)),
            ("l3_cache", _cache(root, 3)),
            ("frequency", _frequency(root)),
            ("microcode", _hexadecimal(blocks[0].get("microcode", "")) if blocks else None),
            ("hypervisor", "hypervisor" in flags if flags else None),
            ("hybrid", bool(slow)),
            ("performance_cores", fast if slow else None),
            ("efficiency_cores", slow or None),
        )
    )


def blocks_of(cpuinfo: str) -> list[Block]:
    """What /proc/cpuinfo says, by processor."""
    found: list[Block] = []
    for block in cpuinfo.strip().split("\n\n"):
        pairs = (line.partition(":") for line in block.splitlines())
        found.append({name.strip(): value.strip() for name, _, value in pairs})
    return [block for block in found if "processor" in block] or found[:1]


def _cache(root: Path, level: int) -> int | None:
    """Bytes of one cache of a level, as the first processor has it."""
    for index in sysfs.numbered(root / _CPUS / "cpu0/cache", "index"):
        if sysfs.number(index / "level") == level and sysfs.text(index / "type") != "Instruction":
            size = sysfs.text(index / "size")
            if size[:-1].isdigit() and size[-1] in _UNITS:
                return int(size[:-1]) * _UNITS[size[-1]]
    return None


def _frequency(root: Path) -> int | None:
    """The highest clock of any processor, in hertz."""
    policies = sysfs.numbered(root / _CPUS / "cpufreq", "policy")
    return max((sysfs.number(one / "cpuinfo_max_freq") or 0 for one in policies), default=0) * _KILOHERTZ or None


def _kinds(root: Path) -> tuple[int, int]:
    """How many processors are fast ones, and how many are of a slower kind; all fast where nothing is said.

    Processors of Intel have a counter unit for each kind; of others the kernel knows the capacity.
    """
    fast = sysfs.cpus(sysfs.text(root / "sys/devices/cpu_core/cpus"))
    slow = sysfs.cpus(sysfs.text(root / "sys/devices/cpu_atom/cpus"))
    slow |= sysfs.cpus(sysfs.text(root / "sys/devices/cpu_lowpower/cpus"))
    if fast:
        return len(fast), len(slow)
    capacities = [sysfs.number(one / "cpu_capacity") or 0 for one in sysfs.numbered(root / _CPUS, "cpu")]
    limit = _SLOWER * max(capacities, default=0)
    slower = sum(0 < one < limit for one in capacities)
    return len(capacities) - slower, slower


def _hexadecimal(value: str) -> int | None:
    """A number such as 0x2b0005c0, so that selectors can ask for a later one."""
    try:
        return int(value, 16)
    except ValueError:
        return None
