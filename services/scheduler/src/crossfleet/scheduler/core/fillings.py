"""Workers that nothing tells apart, and how full they are: judged once for all that are alike.

A fleet of ten thousand workers has few kinds, and the workers of one kind are full in few ways. So whether a request
fits, with which devices, and what is left after it, is asked of matching once for each kind, filling and request.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from dataclasses import dataclass

from crossfleet.matching.fit import Eligible, place, room
from crossfleet.matching.free import Fit, Free, millicores, slot_millicores
from crossfleet.matching.model import Request, WorkerView
from crossfleet.scheduler.core.demands import Demand, Key

_MOST_FILLINGS = 4096
CPU = "cpu"

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


class Kind:
    """Ready workers that no demand tells apart. ``model`` is any of them: it stands for all when matching is asked.

    ``alike`` has the positions of devices that are interchangeable. ``rivals`` counts the groups that want its workers.
    ``open[n]`` are the fillings of those that have n slots free, ``fillings`` their number.
    """

    def __init__(self, model: WorkerView, key: Key) -> None:
        """A kind without workers."""
        self.model = model
        self.key = key
        self.names: list[str] = []
        self.open: list[dict[Filling, None]] = [{} for _ in range(max(model.slots_total, 0) + 1)]
        self.rivals = 0
        self.fillings = 0
        self.positions = {device.id: at for at, device in enumerate(model.devices)}
        twins: dict[object, list[int]] = {}
        for at, device in enumerate(model.devices):
            if not device.shared:
                chosen = tuple((number, at in ids) for number, places in key[1] for ids in places)
                twins.setdefault((device.signature, chosen), []).append(at)
        self.alike = [tuple(positions) for positions in twins.values()]
        self.number = {at: number for number, positions in enumerate(self.alike) for at in positions}
        self.totals: Counter[str] = Counter({CPU: max(millicores(model.cpu_cores), 0)})
        self.totals.update(device.device_class for device in model.devices if not device.shared)
        self.nothing = (0,) * len(self.alike)
        self._aspects: dict[Demand, Aspect] = {}
        self._distinct: dict[object, Aspect] = {}
        self._costs: dict[tuple[Aspect, int, tuple[int, ...]], Cost] = {}
        self._fillings: dict[Free, Filling] = {}
        self.idle = self.filling(Free.whole(model))

    def aspect(self, demand: Demand) -> Aspect:
        """What the kind is for a demand."""
        found = self._aspects.get(demand)
        if found is None:
            request, able = demand.request, demand.able(self.model)
            key = (request.cpu_cores, request.memory_bytes, request.exclusive, able)
            found = self._aspects[demand] = self._distinct.setdefault(key, Aspect(request, able))
        return found

    def filling(self, free: Free) -> Filling:
        """The filling with so much free."""
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


class Filling:
    """Workers of a kind of which as much is free. ``members`` are their names, sorted; ``rooms`` what is known of ``room``."""

    __slots__ = ("_after", "_devices", "_grants", "free", "kind", "members", "rooms")

    def __init__(self, kind: Kind, free: Free) -> None:
        """Nobody is so full yet."""
        self.kind = kind
        self.free = free
        self.members: list[str] = []
        self.forget()

    def forget(self) -> None:
        """Drop what was remembered."""
        self.rooms: dict[Aspect, int] = {}
        self._grants: dict[tuple[Aspect, int], Grant] = {}
        self._after: dict[tuple[Aspect, int], Filling] = {}
        self._devices: dict[tuple[int, ...], Filling] = {}

    def enter(self, name: str) -> None:
        """A worker is so full from now on."""
        insort(self.members, name)
        if self.free.slots > 0:
            some = self.kind.open[self.free.slots]
            self.kind.fillings += self not in some
            some[self] = None

    def leave(self, name: str) -> None:
        """A worker no longer is."""
        del self.members[bisect_left(self.members, name)]
        if self.free.slots > 0 and not self.members:
            del self.kind.open[self.free.slots][self]
            self.kind.fillings -= 1

    def room(self, aspect: Aspect) -> int:
        """How many slots fit."""
        found = self.rooms.get(aspect)
        if found is None:
            able = aspect.able
            found = room(aspect.request, self.kind.model, self.free, able) if able is not None else 0
            self.rooms[aspect] = found
        return found

    def grant(self, aspect: Aspect, slots: int) -> Grant:
        """What so many slots get: at least one, at most there is room for."""
        found = self._grants.get((aspect, slots))
        if found is None:
            found = self._grants[aspect, slots] = self._granted(aspect, slots)
        return found

    def _granted(self, aspect: Aspect, slots: int) -> Grant:
        kind, able = self.kind, aspect.able
        placed = place(aspect.request, kind.model, self.free, able, slots, slots) if able is not None else None
        if not isinstance(placed, Fit):
            raise ValueError(f"no room for {slots} slots")
        counts = kind.nothing
        shared: tuple[int, ...] = ()
        if placed.devices:
            places = [kind.positions[one] for one in placed.device_ids]
            taken = Counter(kind.number[at] for at in places if at in kind.number)
            counts = tuple(taken[number] for number in range(len(kind.alike)))
            shared = tuple(at for at in places if at not in kind.number)
        return Grant(shared, counts, kind.cost(aspect, slots, counts), self.after(aspect, slots).without(counts))

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
            kind, devices = self.kind, set(self.free.devices)
            for positions, count in zip(kind.alike, counts, strict=True):
                # The first ones are free, whichever a worker really holds: only the number matters.
                free = [kind.model.devices[at].id for at in positions if kind.model.devices[at].id in devices]
                devices.difference_update(free[max(len(free) - count, 0) :])
            free_now = self.free
            left = Free(free_now.slots, free_now.cpu_millis, free_now.memory_bytes, frozenset(devices), untouched=False)
            found = self._devices[counts] = kind.filling(left)
        return found
