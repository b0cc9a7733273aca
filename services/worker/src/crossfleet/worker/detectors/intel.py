"""GPUs of Intel, as the kernel's drivers i915 and xe describe them in sysfs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from crossfleet.worker.detectors import sysfs
from crossfleet.worker.detectors.detector import Found
from crossfleet.worker.detectors.devicefiles import access, render_file
from crossfleet.worker.detectors.granted import granted
from crossfleet.worker.detectors.pcinames import pci_name

_VENDOR = 0x8086
_DRIVERS = ("i915", "xe")
# Where Intel puts the graphics of its processors, since there are any.
_INTEGRATED = "0000:00:02.0"
_MEGAHERTZ = 1_000_000
_HEAT = ("gt/gt*/throttle_reason_{}", "device/tile*/gt*/freq*/throttle/reason_{}")


class IntelDetector:
    """One device for each GPU; its id is its PCI address.

    Where ZE_AFFINITY_MASK is set for the worker itself, as batch systems do, the other GPUs of the host are somebody else's.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        """`root` is the folder in which sys, proc and dev lie."""
        self._root = root

    def present(self) -> bool:
        """Whether one of the drivers is loaded."""
        return any((self._root / "sys/module" / driver).exists() for driver in _DRIVERS)

    def detect(self) -> Sequence[Found]:
        """Model, memory of its own, driver, clock, index, PCI address, NUMA node, whether it is part of the processor."""
        mine = []
        for card in sysfs.numbered(self._root / "sys/class/drm", "card"):
            device, driver = card / "device", sysfs.link_name(card / "device/driver")
            file = render_file(self._root, device)
            if sysfs.number(device / "vendor") == _VENDOR and driver in _DRIVERS and file is not None:
                mine.append((sysfs.pci_address(device), driver, card, file))
        # Level Zero counts those of their own first.
        mine.sort(key=lambda one: (one[0] == _INTEGRATED, one[0]))
        return granted([self._gpu(index, *one) for index, one in enumerate(mine)], _mask())

    def _gpu(self, index: int, address: str, driver: str, card: Path, file: Path) -> Found:
        device = card / "device"
        memory = _memory(card)
        clock = _clock(card)
        version = sysfs.driver_version(self._root, driver)
        attributes = sysfs.known(
            (
                ("vendor", "intel"),
                ("model", pci_name(self._root, _VENDOR, sysfs.number(device / "device") or 0)),
                ("memory", memory or None),
                ("driver", {"version": version} if version else None),
                ("driver_name", driver),
                ("frequency", clock * _MEGAHERTZ or None),
                ("integrated", address == _INTEGRATED),
                ("index", index),
                ("pci", address),
                ("numa_node", sysfs.numa_node(self._root, device)),
            )
        )
        return {
            "device_id": f"gpu-{address}",
            "device_class": "gpu",
            "attributes": attributes,
            "capacities": {"memory": memory} if memory else {},
            "conditions": access(file) + (["thermal_throttled"] if _hot(card) else []),
        }


def _mask() -> str | None:
    """What Level Zero is to show; a part of a GPU (`0.1`) counts as the whole."""
    mask = os.environ.get("ZE_AFFINITY_MASK")
    return None if mask is None else ",".join(word.partition(".")[0] for word in mask.split(","))


def _memory(card: Path) -> int:
    """Bytes of its own memory: xe says them by tile, Intel's own build of i915 by card, the kernel's i915 not at all."""
    tiles = [
        *card.glob("device/tile*/physical_vram_size_bytes"),
        *card.glob("device/tile*/memory/physical_vram_size_bytes"),
    ]
    return sum(sysfs.number(one) or 0 for one in tiles) or sysfs.number(card / "lmem_total_bytes") or 0


def _clock(card: Path) -> int:
    """The highest clock of any of its parts, in MHz."""
    found = [*card.glob("gt/gt*/rps_RP0_freq_mhz"), *card.glob("device/tile*/gt*/freq*/rp0_freq")]
    return max((sysfs.number(one) or 0 for one in found), default=0) or sysfs.number(card / "gt_RP0_freq_mhz") or 0


def _hot(card: Path) -> bool:
    reasons = [one.format(reason) for one in _HEAT for reason in ("thermal", "prochot")]
    return any(sysfs.number(file) == 1 for reason in reasons for file in card.glob(reason))
