"""What PCI devices are called, by the list that `lspci` reads too, where a host has it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

_LISTS = ("usr/share/hwdata/pci.ids", "usr/share/misc/pci.ids")


def pci_name(root: Path, vendor: int, device: int) -> str:
    """The name of a device, such as `Navi 31 [Radeon RX 7900 XTX]`; its numbers where no list has it."""
    for path in _LISTS:
        try:
            with (root / path).open(encoding="utf-8", errors="replace") as lines:
                found = _find(lines, f"{vendor:04x}", f"{device:04x}")
        except OSError:
            continue
        if found:
            return found
    return f"{vendor:04x}:{device:04x}"


def _find(lines: Iterable[str], vendor: str, device: str) -> str:
    """Vendors begin a line, their devices one tab further, subsystems of these two."""
    here = False
    for line in lines:
        if not line.startswith("\t"):
            if here and not line.startswith("#"):
                return ""
            here = here or line.startswith(f"{vendor}  ")
        elif here and line.startswith(f"\t{device}  "):
            return line.split("  ", 1)[1].strip()
    return ""
