"""What OpenCL can use, asked through its loader: a view of devices that other detectors have found, or not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crossfleet.worker.detectors.detector import Found
from crossfleet.worker.detectors.makers import maker

if TYPE_CHECKING:
    from crossfleet.worker.detectors.openclapi import OpenClDevice

_DRIVERS = "etc/OpenCL/vendors"
_VARIABLES = ("OCL_ICD_VENDORS", "OCL_ICD_FILENAMES")


class OpenClDetector:
    """A view of each device. One that computes on the processors, such as PoCL's, is a view of these."""

    def __init__(self, root: Path = Path("/")) -> None:
        """`root` is the folder in which the list of drivers lies."""
        self._root = root

    def present(self) -> bool:
        """Whether any driver is installed."""
        return (self._root / _DRIVERS).is_dir() or any(variable in os.environ for variable in _VARIABLES)

    def detect(self) -> Sequence[Found]:
        """What each platform shows; nothing where there is no loader. Raises OSError for a driver that fails."""
        from crossfleet.worker.detectors.openclapi import opencl_devices

        return [_view(index, one) for index, one in enumerate(opencl_devices()) if one.kind != "custom"]


def _view(index: int, one: OpenClDevice) -> Found:
    processors = one.kind == "cpu"
    attributes: dict[str, object] = {
        "vendor": maker(one.vendor),
        "model": one.name,
        "opencl_version": {"version": one.version},
        "opencl_platform": one.platform,
    }
    attributes |= {name: value for name, value in (("pci", one.pci), ("uuid", one.uuid)) if value}
    if not processors:
        attributes |= {"memory": one.memory, "compute_units": one.units, "integrated": one.integrated}
    return {
        "device_id": f"gpu-{one.pci or one.uuid or f'opencl-{index}'}",
        "device_class": one.kind,
        "attributes": attributes,
        "capacities": {} if processors else {"memory": one.memory},
        "conditions": [],
        "adds": ["opencl_version", "opencl_platform"],
    }
