"""One ready worker."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from crossfleet.matching.model import Portion, Portions, WorkerView
from crossfleet.matching.portions import together
from crossfleet.scheduler.core.fillings import Filling, Kind
from crossfleet.scheduler.core.frames import Charge, Grant


@dataclass(slots=True)
class Host:
    """How full it is, the devices in use, and what it costs whom."""

    view: WorkerView
    kind: Kind
    filling: Filling
    used: set[str] = field(default_factory=set)
    charges: list[Charge] = field(default_factory=list)

    def own(self, devices: Iterable[str]) -> frozenset[str]:
        """Of some devices those that no two slots hold."""
        return frozenset(devices) - self.view.shared_ids

    def parts(self, portions: Portions) -> Portions:
        """Portions of its devices, named as those of the frame's model; those of devices that are not shareable are none."""
        here, model = {one.id: at for at, one in enumerate(self.view.devices)}, self.kind.frame.model
        mine = [one for one in portions if one.device_id in self.view.shareable]
        return together(Portion(model.devices[here[name]].id, amounts) for name, amounts in mine)

    def named(self, portions: Portions) -> Portions:
        """Portions of the devices of its frame's model, named as its own."""
        frame, devices = self.kind.frame, self.view.devices
        return together(Portion(devices[frame.positions[name]].id, amounts) for name, amounts in portions)

    def counts(self, devices: Collection[str]) -> tuple[int, ...]:
        """How many of each alike these devices are."""
        frame = self.kind.frame
        if not devices:
            return frame.nothing
        found = [one.id in devices for one in self.view.devices]
        return tuple([sum([found[at] for at in positions]) for positions in frame.alike])

    def pick(self, grant: Grant) -> tuple[str, ...]:
        """The devices of a grant: the first free ones that are alike are in use from now on."""
        devices, used = self.view.devices, self.used
        ids = [devices[at].id for at in (*grant.shared, *grant.parts)]
        for positions, count in zip(self.kind.frame.alike, grant.taken, strict=True):
            for at in positions:
                if not count:
                    break
                device = devices[at].id
                if device not in used:
                    used.add(device)
                    ids.append(device)
                    count -= 1
        return tuple(ids)
