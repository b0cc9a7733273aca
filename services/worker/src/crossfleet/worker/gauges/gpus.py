"""Use and heat of NVIDIA GPUs, through NVML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

Reading = tuple[float | None, float | None]
"""Use as a part, and degrees Celsius; None where the GPU does not tell."""
_DRIVER = "driver/nvidia/version"


def present(proc: Path) -> bool:
    """Whether NVIDIA's driver is loaded."""
    return (proc / _DRIVER).exists()


class Gpus:
    """All GPUs of the host. NVML is loaded once; where that fails, there is nothing to read."""

    def __init__(self) -> None:
        """Load it."""
        self._nvml: Any = None
        try:
            import pynvml

            pynvml.nvmlInit()
            self._nvml = pynvml
        except Exception:  # noqa: BLE001 - no package, no driver, or one that does not answer: not measurable
            return

    def read(self) -> dict[str, Reading]:
        """What each tells now, by its UUID. One that does not answer is left out."""
        nvml, found = self._nvml, dict[str, Reading]()
        for index in range(nvml.nvmlDeviceGetCount() if nvml is not None else 0):
            try:
                handle = nvml.nvmlDeviceGetHandleByIndex(index)
                uuid = nvml.nvmlDeviceGetUUID(handle)
            except nvml.NVMLError:
                continue
            found[uuid.decode() if isinstance(uuid, bytes) else uuid] = (self._use(handle), self._heat(handle))
        return found

    def _use(self, handle: Any) -> float | None:
        try:
            return float(self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu) / 100
        except self._nvml.NVMLError:
            return None

    def _heat(self, handle: Any) -> float | None:
        try:
            return float(self._nvml.nvmlDeviceGetTemperature(handle, self._nvml.NVML_TEMPERATURE_GPU))
        except self._nvml.NVMLError:
            return None
