"""One ready worker."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from crossfleet.matching.model import Amounts, Portion, Portions, WorkerView
from crossfleet.matching.portions import together
from crossfleet.scheduler.core.fillings import Filling, Kind
from crossfleet.scheduler.core.frames import Charge, Grant


@dataclass(slots=True)
class Host:
    """How full it is, the devices in use, those in ``parts`` by so much, and what it costs whom."""

    view: WorkerView
    kind: Kind
    filling: Filling
    used: set[str] = field(default_factory=set)
    charges: list[Charge] = field(default_factory=list)
    parts: dict[str, Amounts] = field(default_factory=dict)

    def own(self, devices: Iterable[str]) -> frozenset[str]:
        """Of some devices those that no two slots hold."""
        return frozenset(devices) - self.view.shared_ids

    def held(self, device_ids: Iterable[str], portions: Portions) -> tuple[frozenset[str], Portions]:
        """Of what somebody has the devices that no other may use, and what it has of others."""
        devices, shareable = self.own(device_ids), self.view.shareable
        parts = tuple([one for one in portions if one.device_id in shareable]) if portions else ()
        return devices.difference([one.device_id for one in parts]) if parts else devices, parts

    def bundled(self, parts: Mapping[str, Amounts]) -> Portions:
        """What is taken of its devices, as of its frame's model: those that are alike in the order of what is taken of them."""
        frame, devices = self.kind.frame, self.view.devices
        found = list[Portion]()
        for positions in frame.alike:
            partly = sorted([parts[devices[at].id] for at in positions if devices[at].id in parts])
            found += map(Portion, [frame.model.devices[at].id for at in positions], partly)
        return tuple(sorted(found))

    def counts(self, devices: Collection[str]) -> tuple[int, ...]:
        """How many of each alike these devices are."""
        frame = self.kind.frame
        if not devices:
            return frame.nothing
        found = [one.id in devices for one in self.view.devices]
        return tuple([sum([found[at] for at in positions]) for positions in frame.alike])

    def pick(self, grant: Grant) -> tuple[str, ...]:
        """The devices of a grant that it has for itself: the first free ones that are alike are in use from now on."""
        devices, used = self.view.devices, self.used
        ids = [devices[at].id for at in grant.shared]
        for positions, count in zip(self.kind.frame.alike, grant.taken, strict=True):
            for at in positions:
                if not count:
                    break
                device = devices[at].id
                if device not in used and device not in self.parts:
                    used.add(device)
                    ids.append(device)
                    count -= 1
        return tuple(ids)

    def divide(self, grant: Grant) -> tuple[tuple[str, ...], Portions]:
        """The devices of which the slots of a grant take portions, once for each slot, and what they take together.

        Of those that are alike one is taken of which as much is held as the grant was made for.
        """
        frame, devices = self.kind.frame, self.view.devices
        states, names = dict(self.filling.level.free.portions), dict[str, str]()
        for name, _ in grant.portions:
            twins = (devices[at].id for at in frame.alike[frame.number[frame.positions[name]]])
            able = (one for one in twins if one not in self.used and one not in names.values())
            names[name] = next(one for one in able if self.parts.get(one) == states.get(name))
        portions = together(Portion(names[name], amounts) for name, amounts in grant.portions)
        self.parts = dict(together((*map(Portion._make, self.parts.items()), *portions)))
        return tuple([names[frame.model.devices[at].id] for at in grant.parts]), portions
