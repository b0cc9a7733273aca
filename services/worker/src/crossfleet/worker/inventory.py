"""The devices of this worker: the processors at once, the others when their detectors have answered."""

from __future__ import annotations

from collections.abc import Mapping

from crossfleet.api.types.v1.device_pb2 import Device
from crossfleet.worker.detectors.cpu import CpuDetector
from crossfleet.worker.detectors.search import Search
from crossfleet.worker.translate.devices import device


class Inventory:
    """What was found, and what could not be asked."""

    def __init__(self, search: Search) -> None:
        """The processors are known when this returns (a few milliseconds)."""
        self._search = search
        self._by_detector: dict[str, list[Device]] = {"cpu": [device(found, "cpu") for found in CpuDetector().detect()]}
        self.errors: dict[str, str] = {}

    @property
    def devices(self) -> list[Device]:
        """All devices, the processors first."""
        return [one for devices in self._by_detector.values() for one in devices]

    @property
    def by_id(self) -> Mapping[str, Device]:
        """All devices by id."""
        return {one.device_id: one for one in self.devices}

    async def look(self) -> bool:
        """Ask the other detectors; whether there is something that was not known before. Does not raise."""
        before = sorted(one.device_id for one in self.devices)
        for name, answer in (await self._search.all(without=frozenset({"cpu"}))).items():
            if isinstance(answer, str):
                self.errors[name] = answer
                continue
            try:
                self._by_detector[name] = [device(found, name) for found in answer]
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                self.errors[name] = f"what it found cannot be read: {error}"
        return before != sorted(one.device_id for one in self.devices)
