"""Folders that look as /sys and /proc of real hosts do: files by path, and links by path."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

PCI = "sys/devices/pci0000:00"


def build(root: Path, files: Mapping[str, str], links: Mapping[str, str] | None = None) -> Path:
    """Write them below `root`; `links` lead to paths below it."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    for name, target in (links or {}).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (root / target).mkdir(parents=True, exist_ok=True)
        path.symlink_to(root / target)
    return root


def card(number: int, device: str, driver: str) -> dict[str, str]:
    """The links of a graphics card: from its class to its entry below the device, from there back, and to the driver."""
    return {
        f"sys/class/drm/card{number}": f"{device}/drm/card{number}",
        f"{device}/drm/card{number}/device": device,
        f"{device}/driver": f"sys/bus/pci/drivers/{driver}",
    }
