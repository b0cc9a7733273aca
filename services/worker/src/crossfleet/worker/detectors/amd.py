"""GPUs of AMD, as the kernel's drivers amdgpu and amdkfd describe them in sysfs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from crossfleet.worker.detectors import sysfs
from crossfleet.worker.detectors.detector import Found
from crossfleet.worker.detectors.devicefiles import access, render_file
from crossfleet.worker.detectors.granted import granted
from crossfleet.worker.detectors.pcinames import pci_name

_VENDOR = 0x1002
_MEGAHERTZ = 1_000_000


class AmdDetector:
    """One device for each GPU; its id is `GPU-` and the unique id that ROCR_VISIBLE_DEVICES takes, where it has one.

    Where that is set for the worker itself, as batch systems do, the other GPUs of the host are somebody else's.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        """`root` is the folder in which sys, proc, dev and opt lie."""
        self._root = root

    def present(self) -> bool:
        """Whether the driver is loaded."""
        return (self._root / "sys/module/amdgpu").exists()

    def detect(self) -> Sequence[Found]:
        """Model, memory, driver, ROCm version, gfx target, compute units, unique id, index, PCI address, NUMA node."""
        computing = _computing(self._root)
        cards = sysfs.numbered(self._root / "sys/class/drm", "card")
        mine = [card / "device" for card in cards if sysfs.number(card / "device/vendor") == _VENDOR]
        usable = [(device, file) for device in mine if (file := render_file(self._root, device))]
        found = [self._gpu(device, file, *computing.get(file.name, (None, {}))) for device, file in usable]
        return granted(found, os.environ.get("ROCR_VISIBLE_DEVICES"))

    def _gpu(self, device: Path, file: Path, index: int | None, node: Mapping[str, int]) -> Found:
        root = self._root
        address = sysfs.pci_address(device)
        unique = sysfs.text(device / "unique_id")
        memory = sysfs.number(device / "mem_info_vram_total")
        driver = sysfs.driver_version(root, "amdgpu")
        rocm = sysfs.text(root / "opt/rocm/.info/version")
        uuid = f"GPU-{unique}" if int(unique or "0", 16) else ""
        engine = node.get("max_engine_clk_fcompute", 0)
        attributes = sysfs.known(
            (
                ("vendor", "amd"),
                ("model", sysfs.text(device / "product_name") or self._name(device)),
                ("memory", memory),
                ("driver", {"version": driver} if driver else None),
                ("rocm", {"version": rocm} if rocm else None),
                ("architecture", _target(node.get("gfx_target_version", 0))),
                ("compute_units", node.get("simd_count", 0) // (node.get("simd_per_cu", 0) or 1) or None),
                ("frequency", engine * _MEGAHERTZ or None),
                ("firmware", sysfs.text(device / "vbios_version")),
                ("partition", sysfs.text(device / "current_compute_partition").lower()),
                ("serial", sysfs.text(device / "serial_number")),
                ("uuid", uuid),
                ("index", index),
                ("pci", address),
                ("numa_node", sysfs.numa_node(root, device)),
            )
        )
        return {
            "device_id": uuid or f"gpu-{address}",
            "device_class": "gpu",
            "attributes": attributes,
            "capacities": {"memory": memory} if memory else {},
            "conditions": access(file) + (["thermal_throttled"] if _hot(device) else []),
        }

    def _name(self, device: Path) -> str:
        return pci_name(self._root, _VENDOR, sysfs.number(device / "device") or 0)


def _computing(root: Path) -> dict[str, tuple[int, dict[str, int]]]:
    """By the name of their file, the GPUs that amdkfd lets compute: their index, as ROCm counts them, and their properties."""
    found: dict[str, tuple[int, dict[str, int]]] = {}
    nodes = root / "sys/class/kfd/kfd/topology/nodes"
    for node in sysfs.numbered(nodes, ""):
        properties = dict(_properties(sysfs.text(node / "properties")))
        if properties.get("simd_count") and properties.get("gfx_target_version"):
            found.setdefault(f"renderD{properties.get('drm_render_minor')}", (len(found), properties))
    return found


def _properties(content: str) -> Iterator[tuple[str, int]]:
    for line in content.splitlines():
        name, _, value = line.partition(" ")
        if value.strip().isdigit():
            yield name, int(value)


def _target(version: int) -> str:
    """The name of an instruction set: 90402 is gfx942, 90010 is gfx90a."""
    if not version:
        return ""
    return f"gfx{version // 10_000}{version // 100 % 100:x}{version % 100:x}"


def _hot(device: Path) -> bool:
    """Whether one of its sensors has reached the temperature at which the GPU slows down."""
    for monitor in sysfs.numbered(device / "hwmon", "hwmon"):
        for sensor in range(1, 4):
            now, critical = (sysfs.number(monitor / f"temp{sensor}_{what}") for what in ("input", "crit"))
            if now and critical and now >= critical:
                return True
    return False
