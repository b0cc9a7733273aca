"""What Vulkan can use, asked through its loader: a view of devices that other detectors have found, or not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crossfleet.worker.detectors.detector import Found
from crossfleet.worker.detectors.makers import maker

if TYPE_CHECKING:
    from crossfleet.worker.detectors.vulkanapi import PhysicalDevice

_DRIVERS = ("etc/vulkan/icd.d", "usr/share/vulkan/icd.d", "usr/local/share/vulkan/icd.d", "usr/local/etc/vulkan/icd.d")
_VARIABLES = ("VK_DRIVER_FILES", "VK_ADD_DRIVER_FILES", "VK_ICD_FILENAMES")
_CLASSES = {"cpu": "cpu", "other": "accelerator"}


class VulkanDetector:
    """A view of each device. A driver that computes on the processors, such as Mesa's llvmpipe, is a view of these, and no GPU."""

    def __init__(self, root: Path = Path("/")) -> None:
        """`root` is the folder in which the lists of drivers lie."""
        self._root = root

    def present(self) -> bool:
        """Whether any driver is installed."""
        listed = any((self._root / folder).is_dir() for folder in _DRIVERS)
        return listed or any(variable in os.environ for variable in _VARIABLES)

    def detect(self) -> Sequence[Found]:
        """What each driver shows; nothing where there is no loader. Raises OSError for a driver that fails."""
        from crossfleet.worker.detectors.vulkanapi import physical_devices

        os.environ.setdefault("VK_LOADER_LAYERS_DISABLE", "~implicit~")  # overlays and the like show nothing here
        return [_view(index, one) for index, one in enumerate(physical_devices())]


def _view(index: int, one: PhysicalDevice) -> Found:
    processors = one.kind == "cpu"
    attributes: dict[str, object] = {
        "vendor": maker(one.vendor),
        "model": one.name,
        "vulkan_version": {"version": one.version},
        "vulkan_driver": one.driver,
    }
    attributes |= {name: value for name, value in (("pci", one.pci), ("uuid", one.uuid)) if value}
    if not processors:
        attributes |= {"memory": one.memory, "integrated": one.kind == "integrated"}
    return {
        "device_id": f"gpu-{one.pci or one.uuid or f'vulkan-{index}'}",
        "device_class": _CLASSES.get(one.kind, "gpu"),
        "attributes": attributes,
        "capacities": {} if processors else {"memory": one.memory},
        "conditions": [],
        "adds": ["vulkan_version", "vulkan_driver", *([] if processors else ["integrated"])],
    }
