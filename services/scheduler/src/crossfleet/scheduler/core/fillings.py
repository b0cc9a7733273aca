"""Workers that nothing tells apart, and how full they are.

A fleet of ten thousand workers has few kinds, and the workers of one kind are full in few ways.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Set as AbstractSet

from crossfleet.matching.model import WorkerView
from crossfleet.scheduler.core.demands import Demand, Key
from crossfleet.scheduler.core.frames import Alike, Aspect, Frame, Level


class Openings(dict["Kind", None]):
    """The kinds of one fleet of which some worker has a free slot."""

    __slots__ = ()

    def add(self, filling: Filling) -> None:
        """The first worker is so full."""
        kind = filling.kind
        if not kind.some:
            self[kind] = None
        kind.some[filling] = None
        kind.open[filling.slots][filling] = None
        kind.most.add(filling)

    def remove(self, filling: Filling) -> None:
        """No worker is so full any more."""
        kind = filling.kind
        del kind.some[filling], kind.open[filling.slots][filling]
        kind.most.remove(filling)
        if not kind.some:
            del self[kind]


class _Most(dict[Aspect, int]):
    """How many slots fit on the roomiest worker of a kind: asked once for each aspect, until that worker is gone."""

    __slots__ = ("_kind",)

    def __init__(self, kind: Kind) -> None:
        """Nothing asked yet."""
        super().__init__()
        self._kind = kind

    def __missing__(self, aspect: Aspect) -> int:
        found = self[aspect] = max([filling.rooms[aspect] for filling in self._kind.some], default=0)
        return found

    def add(self, filling: Filling) -> None:
        """One more filling."""
        slots, rooms = filling.slots, filling.rooms
        for aspect, most in self.items():
            if most < slots and rooms[aspect] > most:
                self[aspect] = rooms[aspect]

    def remove(self, filling: Filling) -> None:
        """One less."""
        if not self._kind.some:
            self.update(dict.fromkeys(self, 0))
            return
        rooms = filling.rooms
        for aspect in [one for one, most in self.items() if 0 < most == rooms[one]]:
            del self[aspect]


class _Aspects(dict[Demand, Aspect]):
    """What a kind is for demands, each judged when first asked for."""

    __slots__ = ("_kind",)

    def __init__(self, kind: Kind) -> None:
        """Nothing asked yet."""
        super().__init__()
        self._kind = kind

    def __missing__(self, demand: Demand) -> Aspect:
        kind, model = self._kind, self._kind.model
        # Whoever a particular demand chooses is of a kind that says so; the model may have been here before that demand.
        able = demand.able(model) if not demand.particular or demand.number in kind.choosers else None
        at = {device.id: at for at, device in enumerate(model.devices)}
        places = tuple(tuple(at[one] for one in ids) for ids in able.candidates) if able is not None else None
        found = self[demand] = kind.frame.aspect(demand.request, able, places)
        return found


class Kind:
    """Ready workers that no demand tells apart. ``model`` is any of them, or was: it stands for all when matching is asked.

    ``rivals`` counts the groups that want its workers. ``some`` are the fillings of those that have free slots,
    ``open[n]`` of those that have n; ``most[aspect]`` slots fit on one of them.
    """

    def __init__(self, model: WorkerView, key: Key, frame: Frame, openings: Openings) -> None:
        """A kind without workers."""
        self.model = model
        self.key = key
        self.frame = frame
        self.openings = openings
        self.names: list[str] = []
        self.open: list[dict[Filling, None]] = [{} for _ in range(max(model.slots_total, 0) + 1)]
        self.rivals = 0
        self.some: dict[Filling, None] = {}
        self.most = _Most(self)
        self.fillings: dict[Level, Filling] = {}
        self.choosers = frozenset([number for number, _, _ in key[1]])
        self.aspects = _Aspects(self)

    @property
    def idle(self) -> Level:
        """How full a worker is of which nothing is held."""
        return self.frame.idle

    def enter(self, name: str, level: Level) -> Filling:
        """A worker is so full from now on."""
        filling = self.fillings.get(level)
        if filling is None:
            filling = self.fillings[level] = Filling(self, level)
            level.fillings += 1
        if filling.slots > 0:
            filling.add(name)
        return filling


class Filling:
    """Workers of a kind that are at one level. ``members`` are their names, sorted; of those that are full nobody asks them."""

    __slots__ = ("kind", "level", "members", "rooms", "slots")

    def __init__(self, kind: Kind, level: Level) -> None:
        """Nobody is so full yet."""
        self.kind = kind
        self.level = level
        self.slots = level.slots
        self.rooms = level.rooms
        self.members: list[str] = []

    def add(self, name: str) -> None:
        """A worker is so full, and not quite."""
        members = self.members
        if not members:
            members.append(name)
            self.kind.openings.add(self)
        elif members[-1] < name:  # As they mostly come and go in order.
            members.append(name)
        else:
            insort(members, name)

    def leave(self, name: str) -> None:
        """A worker is so full no longer."""
        members = self.members
        if len(members) > 1:
            del members[0 if members[0] == name else bisect_left(members, name)]
        elif members:
            members.clear()
            del self.kind.fillings[self.level]
            self.level.fillings -= 1
            self.kind.openings.remove(self)

    def first(self, banned: AbstractSet[str]) -> str | None:
        """The first worker that is not banned."""
        first = self.members[0]
        if first not in banned:
            return first
        return next((one for one in self.members if one not in banned), None)


def alike(model: WorkerView, key: Key) -> Alike:
    """The positions of the devices of a kind that are interchangeable: of one signature, and chosen by the same demands."""
    twins: dict[object, list[int]] = {}
    for at, device in enumerate(model.devices):
        if not device.shared:
            chosen = tuple((number, at in ids) for number, places, _ in key[1] for ids in places)
            twins.setdefault((device.signature, chosen), []).append(at)
    return tuple(tuple(positions) for positions in twins.values())
