"""What the kernel says of devices in files. What is missing or cannot be read is empty: drivers leave out what they do not know."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

_PCI_ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")


def text(path: Path) -> str:
    """What stands in a file, without white space round it."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def number(path: Path) -> int | None:
    """The number in a file, decimal or as `0x1002`."""
    try:
        return int(text(path), 0)
    except ValueError:
        return None


def numbered(folder: Path, name: str) -> list[Path]:
    """The entries of a folder that are called `name` and a number, in the order of their numbers."""
    try:
        found = [one for one in folder.iterdir() if one.name.startswith(name) and one.name[len(name) :].isdigit()]
    except OSError:
        return []
    return sorted(found, key=lambda one: int(one.name[len(name) :]))


def link_name(path: Path) -> str:
    """The name of what a link leads to, such as that of a device's driver."""
    try:
        return path.readlink().name
    except OSError:
        return ""


def pci_address(device: Path) -> str:
    """Where a device sits on its PCI bus, such as `0000:03:00.0`; empty for one of another bus."""
    name = device.resolve().name
    return name if _PCI_ADDRESS.fullmatch(name) else ""


def numa_node(root: Path, device: Path) -> int | None:
    """The NUMA node that a device is next to. On a host of one node it is that one, which the kernel then leaves open."""
    node = number(device / "numa_node")
    if node is not None and node >= 0:
        return node
    nodes = numbered(root / "sys/devices/system/node", "node")
    return 0 if [one.name for one in nodes] == ["node0"] else None


def driver_version(root: Path, driver: str) -> str:
    """The version of a kernel module; one that is part of the kernel has the kernel's."""
    return text(root / "sys/module" / driver / "version") or text(root / "proc/sys/kernel/osrelease")


def cpus(listed: str) -> set[int]:
    """The processors of a list such as `0-3,8`."""
    found: set[int] = set()
    for part in listed.split(","):
        first, _, last = part.strip().partition("-")
        if first.isdigit() and (last or first).isdigit():
            found.update(range(int(first), int(last or first) + 1))
    return found


def known(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    """The attributes that have a value."""
    return {name: value for name, value in pairs if value not in (None, "")}
