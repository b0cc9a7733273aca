"""The devices of this worker: the processors at once, the others when their detectors have answered."""

from __future__ import annotations

from collections.abc import Mapping

from crossfleet.api.types.v1.device_pb2 import Device
from crossfleet.worker.detectors.cpu import CpuDetector
from crossfleet.worker.detectors.search import Search
from crossfleet.worker.translate.devices import device

LOST = "lost"
BROKEN = frozenset({LOST, "unhealthy"})
"""Conditions in which a device is good for nothing."""


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

    @property
    def state(self) -> list[tuple[str, list[str]]]:
        """Ids and conditions of all devices, in order: what tells one look from another."""
        return sorted((one.device_id, list(one.conditions)) for one in self.devices)

    @property
    def has_more_than_processors(self) -> bool:
        """Whether another detector has found a device."""
        return len(self._by_detector) > 1

    async def look(self) -> bool:
        """Ask the other detectors; whether something is not as it was. Does not raise.

        A device that its detector does not find any more stays, in the condition `lost`; where a detector gives no answer, all
        of its devices stay as they were.
        """
        before = self.state
        answers = await self._search.all(without=frozenset({"cpu"}))
        known = [name for name in self._by_detector if name != "cpu"]
        for name in dict.fromkeys([*known, *answers]):
            answer = answers.get(name, ())
            if isinstance(answer, str):
                self.errors[name] = answer
                continue
            try:
                found = [device(one, name) for one in answer]
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                self.errors[name] = f"what it found cannot be read: {error}"
                continue
            self.errors.pop(name, None)
            there = {one.device_id for one in found}
            gone = [one for one in self._by_detector.get(name, ()) if one.device_id not in there]
            for one in gone:
                one.conditions[:] = [LOST]
            if found or gone:
                self._by_detector[name] = [*found, *gone]
        return before != self.state
