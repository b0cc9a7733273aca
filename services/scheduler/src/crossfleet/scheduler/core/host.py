"""One ready worker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NamedTuple

from crossfleet.matching.model import Amounts, Portion, Portions, WorkerView
from crossfleet.matching.portions import together
from crossfleet.scheduler.core.fillings import Filling, Kind
from crossfleet.scheduler.core.frames import Aspect, Charge, Grant
from crossfleet.scheduler.core.model import Allocation
from crossfleet.scheduler.core.queue import Entry


class Holding(NamedTuple):
    """What an allocation is to its host as long as its row is this one, and its group (None: unknown) this entry.

    ``devices`` are those that no other may use; of others it has ``parts``. Nobody is charged for a group that is unknown.
    """

    row: Allocation
    entry: Entry | None
    aspect: Aspect
    devices: frozenset[str]
    parts: Portions
    charge: Charge | None


@dataclass(slots=True)
class Host:
    """How full it is, the devices in use, those in ``parts`` by so much, and what it costs whom.

    ``holdings`` are by allocation; ``given`` is charged for what a plan gave since the host was looked at.
    """

    view: WorkerView
    kind: Kind
    filling: Filling
    used: set[str] = field(default_factory=set)
    holdings: dict[str, Holding] = field(default_factory=dict)
    given: list[Charge] = field(default_factory=list)
    parts: dict[str, Amounts] = field(default_factory=dict)

    def held(self, device_ids: Iterable[str], portions: Portions) -> tuple[frozenset[str], Portions]:
        """Of what somebody has the devices that no other may use, and what it has of others."""
        devices = frozenset(device_ids) - self.view.shared_ids
        if not portions:
            return devices, ()
        parts = tuple([one for one in portions if one.device_id in devices and one.device_id in self.view.shareable])
        return devices.difference([one.device_id for one in parts]), parts

    def bundled(self, parts: Mapping[str, Amounts]) -> Portions:
        """What is taken of its devices, as of its frame's model: those that are alike in the order of what is taken of them."""
        frame, devices = self.kind.frame, self.view.device_ids
        found = list[Portion]()
        for positions in frame.alike:
            partly = sorted([parts[devices[at]] for at in positions if devices[at] in parts])
            found += map(Portion, [frame.model.devices[at].id for at in positions], partly)
        return tuple(sorted(found))

    def counts(self, devices: AbstractSet[str]) -> tuple[int, ...]:
        """How many of each alike these devices are."""
        frame, mine = self.kind.frame, self.view.device_ids
        if not devices:
            return frame.nothing
        return tuple([sum([mine[at] in devices for at in positions]) for positions in frame.alike])

    def pick(self, grant: Grant) -> tuple[str, ...]:
        """The devices of a grant that it has for itself: the first free ones that are alike are in use from now on."""
        devices, used, parts = self.view.device_ids, self.used, self.parts
        ids = [devices[at] for at in grant.shared] if grant.shared else []
        for positions, count in zip(self.kind.frame.alike, grant.taken, strict=True):
            for at in positions if count else ():
                device = devices[at]
                if device not in used and device not in parts:
                    used.add(device)
                    ids.append(device)
                    count -= 1
                    if not count:
                        break
        return tuple(ids)

    def divide(self, grant: Grant) -> tuple[tuple[str, ...], Portions]:
        """The devices of which the slots of a grant take portions, once for each slot, and what they take together.

        Of those that are alike one is taken of which as much is held as the grant was made for.
        """
        frame, devices = self.kind.frame, self.view.device_ids
        states, names = dict(self.filling.level.free.portions), dict[str, str]()
        for name, _ in grant.portions:
            twins = (devices[at] for at in frame.alike[frame.number[frame.positions[name]]])
            able = (one for one in twins if one not in self.used and one not in names.values())
            names[name] = next(one for one in able if self.parts.get(one) == states.get(name))
        portions = together(Portion(names[name], amounts) for name, amounts in grant.portions)
        self.parts = dict(together((*map(Portion._make, self.parts.items()), *portions)))
        return tuple([names[frame.model.devices[at].id] for at in grant.parts]), portions
