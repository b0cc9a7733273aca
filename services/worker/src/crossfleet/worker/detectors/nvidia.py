"""GPUs of NVIDIA, asked through NVML."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crossfleet.worker.detectors import sysfs
from crossfleet.worker.detectors.detector import Found
from crossfleet.worker.detectors.granted import granted

_ROOT = Path("/")
_SIGNS = ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg")


class NvidiaDetector:
    """One device for each GPU; its id is its UUID, which CUDA_VISIBLE_DEVICES takes.

    Where that is set for the worker itself, as batch systems do, the other GPUs of the host are somebody else's.
    """

    def present(self) -> bool:
        """Whether the driver is loaded (on WSL: its device)."""
        return any(Path(sign).exists() for sign in _SIGNS)

    def detect(self) -> Sequence[Found]:
        """Model, memory, driver, CUDA version, compute capability, UUID, index, PCI address, NUMA node. Raises NVMLError."""
        import pynvml

        pynvml.nvmlInit()
        try:
            driver = _text(pynvml.nvmlSystemGetDriverVersion())
            cuda = pynvml.nvmlSystemGetCudaDriverVersion_v2()
            facts = {"driver": {"version": driver}, "cuda": {"version": f"{cuda // 1000}.{cuda % 1000 // 10}"}}
            found = (_gpu_or_none(pynvml, index, facts) for index in range(pynvml.nvmlDeviceGetCount()))
            return granted([gpu for gpu in found if gpu is not None], os.environ.get("CUDA_VISIBLE_DEVICES"))
        finally:
            pynvml.nvmlShutdown()


def _gpu_or_none(nvml: Any, index: int, facts: dict[str, Any]) -> Found | None:
    """None for one that fell off the bus or does not answer: where it was known, it is lost, and the others are not."""
    try:
        return _gpu(nvml, index, facts)
    except nvml.NVMLError as error:
        sys.stderr.write(f"GPU {index}: {error}\n")
        return None


def _gpu(nvml: Any, index: int, facts: dict[str, Any]) -> Found:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    uuid = _text(nvml.nvmlDeviceGetUUID(handle))
    memory = int(nvml.nvmlDeviceGetMemoryInfo(handle).total)
    major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
    domain, _, rest = _text(nvml.nvmlDeviceGetPciInfo(handle).busId).lower().partition(":")
    address = f"{int(domain, 16):04x}:{rest}"
    node = sysfs.numa_node(_ROOT, _ROOT / "sys/bus/pci/devices" / address)
    attributes = {
        **facts,
        "vendor": "nvidia",
        "model": _text(nvml.nvmlDeviceGetName(handle)),
        "uuid": uuid,
        "index": index,
        "memory": memory,
        "compute_capability": {"version": f"{major}.{minor}"},
        "pci": address,
        **sysfs.known((("numa_node", node),)),
    }
    return {
        "device_id": uuid,
        "device_class": "gpu",
        "attributes": attributes,
        "capacities": {"memory": memory},
        "conditions": _conditions(nvml, handle),
    }


def _conditions(nvml: Any, handle: Any) -> list[str]:
    """Whether memory rows could not be replaced, and whether heat slows it down; GPUs that do not tell are well."""
    found = []
    try:
        if nvml.nvmlDeviceGetRemappedRows(handle)[3]:
            found.append("unhealthy")
    except nvml.NVMLError:
        pass
    try:
        reasons = nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)
    except nvml.NVMLError:
        return found
    hot = nvml.nvmlClocksThrottleReasonHwThermalSlowdown | nvml.nvmlClocksThrottleReasonSwThermalSlowdown
    return [*found, "thermal_throttled"] if reasons & hot else found


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
