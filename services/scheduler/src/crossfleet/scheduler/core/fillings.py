"""Workers that nothing tells apart, and how full they are: judged once for all that are alike.

A fleet of ten thousand workers has few kinds, and the workers of one kind are full in few ways. So whether a request
fits, with which devices, and what is left after it, is asked of matching once for each kind, filling and request.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import chain

from crossfleet.matching.devices import grant
from crossfleet.matching.fit import Eligible, room
from crossfleet.matching.free import Free, millicores, slot_millicores
from crossfleet.matching.model import Request, WorkerView
from crossfleet.scheduler.core.demands import Demand, Key

_MOST_FILLINGS = 4096
_IN_USE = Free(0, 0, 0, frozenset(), untouched=False)
_HELD_ALONE = replace(_IN_USE, closed=True)
CPU = "cpu"

Slot = tuple[int, int]
"""Thousandths of cores and bytes of memory."""

Cost = tuple[tuple[str, int], ...]
"""Amounts by resource: thousandths of cores, and devices by class."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What some slots of a request get of a filling: devices by position, how many of each alike,
    what they cost, and how full the worker is then."""

    shared: tuple[int, ...]
    taken: tuple[int, ...]
    cost: Cost
    left: Filling


@dataclass(frozen=True, slots=True, eq=False)
class Aspect:
    """What a kind of worker is for a demand: amounts, and the devices that satisfy it (None: it does not fit there).

    Demands that differ in their selectors alone mostly have one aspect.
    """

    request: Request
    able: Eligible | None


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
        slots = filling.slots
        for aspect, most in self.items():
            if most < slots:
                self[aspect] = max(most, filling.rooms[aspect])

    def remove(self, filling: Filling) -> None:
        """One less."""
        for aspect in [one for one, most in self.items() if 0 < most == filling.rooms[one]]:
            del self[aspect]


class Kind:
    """Ready workers that no demand tells apart. ``model`` is any of them: it stands for all when matching is asked.

    ``alike`` has the positions of devices that are interchangeable. ``rivals`` counts the groups that want its workers.
    ``some`` are the fillings of those that have free slots, ``open[n]`` of those that have n; ``most[aspect]`` slots fit
    on one of them.
    """

    def __init__(self, model: WorkerView, key: Key, openings: Openings, widest: Slot) -> None:
        """A kind without workers. ``widest``: no slot of any demand takes more."""
        self.model = model
        self.key = key
        self.openings = openings
        self.names: list[str] = []
        self.open: list[dict[Filling, None]] = [{} for _ in range(max(model.slots_total, 0) + 1)]
        self.rivals = 0
        self.some: dict[Filling, None] = {}
        self.most = _Most(self)
        self.positions = {device.id: at for at, device in enumerate(model.devices)}
        twins: dict[object, list[int]] = {}
        for at, device in enumerate(model.devices):
            if not device.shared:
                chosen = tuple((number, at in ids) for number, places, _ in key[1] for ids in places)
                twins.setdefault((device.signature, chosen), []).append(at)
        self.alike = [tuple(positions) for positions in twins.values()]
        self.number = {at: number for number, positions in enumerate(self.alike) for at in positions}
        self.totals: Counter[str] = Counter({CPU: max(millicores(model.cpu_cores), 0)})
        self.totals.update(device.device_class for device in model.devices if not device.shared)
        self.nothing = (0,) * len(self.alike)
        self._aspects: dict[Demand, Aspect] = {}
        self._distinct: dict[object, Aspect] = {}
        self._costs: dict[tuple[Aspect, int, tuple[int, ...]], Cost] = {}
        self.widen(widest)

    def widen(self, widest: Slot) -> None:
        """Begin anew with fillings: a slot may take more than any did so far. Who is how full has to be said again."""
        own = max(millicores(self.model.cpu_cores), 0) // max(self.model.slots_total, 1)
        self._widest = (max(widest[0], own), widest[1])
        self._fillings: dict[Free, Filling] = {}
        self.idle = self.filling(Free.whole(self.model))

    def aspect(self, demand: Demand) -> Aspect:
        """What the kind is for a demand."""
        found = self._aspects.get(demand)
        if found is None:
            request, able = demand.request, demand.able(self.model)
            key = (request.cpu_cores, request.memory_bytes, request.exclusive, able)
            found = self._aspects[demand] = self._distinct.setdefault(key, Aspect(request, able))
        return found

    def filling(self, free: Free) -> Filling:
        """The filling with so much free, leaving aside what is more than its free slots could ever take."""
        slots = free.slots
        cpu, memory = slots * self._widest[0], slots * self._widest[1]
        if slots <= 0:
            free = replace(free, cpu_millis=0, memory_bytes=0, devices=frozenset())
        elif free.cpu_millis > cpu or free.memory_bytes > memory:
            free = replace(free, cpu_millis=min(free.cpu_millis, cpu), memory_bytes=min(free.memory_bytes, memory))
        found = self._fillings.get(free)
        if found is None:
            if len(self._fillings) >= _MOST_FILLINGS:
                self._forget()
            found = self._fillings[free] = Filling(self, free)
        return found

    def cost(self, aspect: Aspect, slots: int, counts: tuple[int, ...]) -> Cost:
        """What an allocation takes of the fleet; one that is exclusive takes the whole worker."""
        found = self._costs.get((aspect, slots, counts))
        if found is None:
            whole = aspect.request.exclusive
            cost = Counter(self.totals if whole else {CPU: slots * slot_millicores(aspect.request, self.model)})
            for positions, count in zip(self.alike, self.nothing if whole else counts, strict=True):
                cost[self.model.devices[positions[0]].device_class] += count
            found = self._costs[aspect, slots, counts] = tuple(sorted(item for item in cost.items() if item[1]))
        return found

    def _forget(self) -> None:
        """Keep the fillings that workers have; the rest is a memory alone."""
        self._fillings = {free: one for free, one in self._fillings.items() if one.members or one is self.idle}
        self._costs.clear()
        for one in self._fillings.values():
            one.forget()
        self._costs.clear()
        for one in self._fillings.values():
            one.forget()


class _Rooms(dict[Aspect, int]):
    """How many slots fit, asked once for each aspect. It is looked up far more often than anything else."""

    __slots__ = ("_filling",)

    def __init__(self, filling: Filling) -> None:
        """Nothing asked yet."""
        super().__init__()
        self._filling = filling

    def __missing__(self, aspect: Aspect) -> int:
        able, filling = aspect.able, self._filling
        found = room(aspect.request, filling.kind.model, filling.free, able) if able is not None else 0
        self[aspect] = found
        return found


class Filling:
    """Workers of a kind of which as much is free. ``members`` are their names, sorted; ``rooms[aspect]`` slots fit.

    ``grants`` are those that were made, by aspect and slots.
    """

    __slots__ = ("_after", "_devices", "free", "grants", "kind", "members", "rooms", "slots")

    def __init__(self, kind: Kind, free: Free) -> None:
        """Nobody is so full yet."""
        self.kind = kind
        self.free = free
        self.slots = free.slots
        self.members: list[str] = []
        self.rooms = _Rooms(self)
        self.grants: dict[tuple[Aspect, int], Grant] = {}
        self._after: dict[tuple[Aspect, int], Filling] = {}
        self._devices: dict[tuple[int, ...], Filling] = {}

    def forget(self) -> None:
        """Drop what was remembered."""
        for memory in (self.rooms, self.grants, self._after, self._devices):
            memory.clear()

    def enter(self, name: str) -> None:
        """A worker is so full from now on."""
        members = self.members
        if not members and self.slots > 0:
            self.kind.openings.add(self)
        if not members or members[-1] < name:  # As they mostly come and go in order.
            members.append(name)
        else:
            insort(members, name)

    def leave(self, name: str) -> None:
        """A worker no longer is."""
        members = self.members
        del members[0 if members[0] == name else bisect_left(members, name)]
        if not members and self.slots > 0:
            self.kind.openings.remove(self)

    def first(self, banned: AbstractSet[str]) -> str | None:
        """The first worker that is not banned."""
        first = self.members[0]
        if first not in banned:
            return first
        return next((one for one in self.members if one not in banned), None)

    def grant(self, aspect: Aspect, slots: int) -> Grant:
        """What so many slots get: at least one, at most there is room for."""
        found = self.grants.get((aspect, slots))
        if found is None:
            found = self.grants[aspect, slots] = self._granted(aspect, slots)
        return found

    def _granted(self, aspect: Aspect, slots: int) -> Grant:
        kind, able = self.kind, aspect.able
        if able is None or self.rooms[aspect] < slots:
            raise ValueError(f"no room for {slots} slots")
        counts = kind.nothing
        shared: tuple[int, ...] = ()
        if able.counts:
            given = grant(kind.model, able.counts, able.candidates, self.free.devices, slots)
            places = [kind.positions[one] for one in dict.fromkeys(chain.from_iterable(given))]
            taken = [kind.number[at] for at in places if at in kind.number]
            counts = tuple([taken.count(number) for number in range(len(kind.alike))]) if taken else counts
            shared = tuple([at for at in places if at not in kind.number])
        left = kind.filling(self.free.minus(aspect.request, slots, self._last(counts), kind.model))
        return Grant(shared, counts, kind.cost(aspect, slots, counts), left)

    def after(self, aspect: Aspect, slots: int) -> Filling:
        """How full a worker is when so many slots are held, leaving devices aside."""
        found = self._after.get((aspect, slots))
        if found is None:
            found = self.kind.filling(self.free.minus(aspect.request, slots, (), self.kind.model))
            self._after[aspect, slots] = found
        return found

    def without(self, counts: tuple[int, ...]) -> Filling:
        """How full a worker is when so many devices of each alike are held besides."""
        if not any(counts) or self.free.closed:
            return self
        found = self._devices.get(counts)
        if found is None:
            free = self.free
            left = Free(
                free.slots,
                free.cpu_millis,
                free.memory_bytes,
                free.devices.difference(self._last(counts)),
                untouched=False,
            )
            found = self._devices[counts] = self.kind.filling(left)
        return found

    def disturbed(self, *, alone: bool) -> Filling:
        """How full a worker is when others of its host are in use; ``alone``: by somebody who has the host for himself."""
        free = self.free.beside([_HELD_ALONE if alone else _IN_USE])
        return self if free is self.free else self.kind.filling(free)

    def _last(self, counts: tuple[int, ...]) -> tuple[str, ...]:
        """So many free devices of each alike: those that come last, whichever a worker really holds. Only the number matters."""
        if counts is self.kind.nothing:
            return ()
        devices, ids = self.kind.model.devices, list[str]()
        for positions, count in zip(self.kind.alike, counts, strict=True):
            if count:
                free = [devices[at].id for at in positions if devices[at].id in self.free.devices]
                ids += free[max(len(free) - count, 0) :]
        return tuple(ids)
