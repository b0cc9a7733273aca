"""What computes and is no GPU, as the kernel's class `accel` lists it: NPUs of Intel and AMD, Habana's Gaudi, Qualcomm's AIC100."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crossfleet.worker.detectors import sysfs
from crossfleet.worker.detectors.detector import Found
from crossfleet.worker.detectors.devicefiles import access
from crossfleet.worker.detectors.makers import maker
from crossfleet.worker.detectors.pcinames import pci_name

_CLASS = "sys/class/accel"
# What drivers call the firmware that runs on the device: amdxdna, then Habana's from the newest to the oldest.
_FIRMWARE = ("fw_version", "fw_os_ver", "cpucp_ver", "armcp_ver")
_MODEL = ("vbnv", "device_type")
_CONDITIONS = {"disabled": "unhealthy", "malfunction": "unhealthy", "needs reset": "unhealthy", "in reset": "resetting"}
_MEGAHERTZ = 1_000_000


class AcceleratorDetector:
    """One device of class `npu` for each; its id is where it sits on its bus, which lasts longer than its number."""

    def __init__(self, root: Path = Path("/")) -> None:
        """`root` is the folder in which sys, proc and dev lie."""
        self._root = root

    def present(self) -> bool:
        """Whether the kernel has that class."""
        return (self._root / _CLASS).exists()

    def detect(self) -> Sequence[Found]:
        """Model, vendor, driver, firmware, clock, PCI address, NUMA node."""
        listed = [(one, self._root / "dev/accel" / one.name) for one in sysfs.numbered(self._root / _CLASS, "accel")]
        return [self._npu(accel, file) for accel, file in listed if file.exists()]

    def _npu(self, accel: Path, file: Path) -> Found:
        device = accel / "device"
        driver = sysfs.link_name(device / "driver")
        version = sysfs.driver_version(self._root, driver)
        vendor = sysfs.number(device / "vendor")
        firmware = self._first(accel, _FIRMWARE)
        clock = sysfs.number(device / "npu_max_frequency_mhz") or sysfs.number(device / "clk_max_freq_mhz") or 0
        attributes = sysfs.known(
            (
                ("vendor", maker(vendor) if vendor else driver),
                ("model", self._first(accel, _MODEL, words=True) or self._name(device, vendor) or driver),
                ("driver", {"version": version} if version else None),
                ("driver_name", driver),
                ("firmware", {"version": firmware} if firmware[:1].isdigit() else firmware),
                ("frequency", clock * _MEGAHERTZ or None),
                ("pci", sysfs.pci_address(device)),
                ("numa_node", sysfs.numa_node(self._root, device)),
            )
        )
        status = self._first(accel, ("status",)).lower()
        return {
            "device_id": f"npu-{device.resolve().name}",
            "device_class": "npu",
            "attributes": attributes,
            "capacities": {},
            "conditions": access(file) + ([_CONDITIONS[status]] if status in _CONDITIONS else []),
        }

    def _name(self, device: Path, vendor: int | None) -> str:
        return pci_name(self._root, vendor, sysfs.number(device / "device") or 0) if vendor else ""

    def _first(self, accel: Path, names: Sequence[str], *, words: bool = False) -> str:
        """The first of these files that says something, of the device or of its entry in the class; `words`: no number."""
        for name in names:
            for folder in (accel / "device", accel):
                found = sysfs.text(folder / name)
                if found and not (words and found.isdigit()):
                    return found
        return ""
