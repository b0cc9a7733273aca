"""One ready worker."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from crossfleet.matching.model import WorkerView
from crossfleet.scheduler.core.fillings import Cost, Filling, Grant, Kind


@dataclass(slots=True)
class Host:
    """How full it is, the devices in use, and what it costs whom."""

    view: WorkerView
    kind: Kind
    filling: Filling
    used: set[str] = field(default_factory=set)
    charges: list[tuple[str, Cost]] = field(default_factory=list)

    def counts(self, devices: Collection[str]) -> tuple[int, ...]:
        """How many of each alike these devices are."""
        if not devices:
            return self.kind.nothing
        every = self.view.devices
        return tuple(sum(every[at].id in devices for at in positions) for positions in self.kind.alike)

    def pick(self, grant: Grant) -> tuple[str, ...]:
        """The devices of a grant: the first free ones that are alike are in use from now on."""
        devices = self.view.devices
        ids = [devices[at].id for at in grant.shared]
        for positions, count in zip(self.kind.alike, grant.taken, strict=True):
            free = [devices[at].id for at in positions if devices[at].id not in self.used] if count else []
            ids += free[:count]
            self.used.update(free[:count])
        return tuple(ids)
