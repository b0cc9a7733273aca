"""How workers are built, and how full they can be: judged once for all kinds of workers that are built alike.

Labels and the attributes of devices tell kinds apart; what is left of a worker when so much is held does not depend on
them. So which slots and devices a request gets, and how many more would fit, is asked of matching once for each frame,
level and aspect, however many kinds there are.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import chain

from crossfleet.matching.fit import Eligible, granted, room
from crossfleet.matching.free import Free, millicores, slot_millicores
from crossfleet.matching.model import Amounts, Portion, Portions, Request, WorkerView
from crossfleet.matching.portions import portions_of, thousandths, thousandths_by_class, together

_MOST_LEVELS = 4096
_IN_USE = Free(0, 0, 0, frozenset(), untouched=False)
_HELD_ALONE = replace(_IN_USE, closed=True)
CPU = "cpu"

Slot = tuple[int, int]
"""Thousandths of cores and bytes of memory."""

Cost = tuple[tuple[str, int], ...]
"""Amounts by resource: thousandths of cores, and of devices by class."""

Charge = tuple[str, Cost]
"""What a project is charged with."""

Alike = tuple[tuple[int, ...], ...]
"""The positions of devices, each tuple of such as are interchangeable. Those that slots share without limit are in none."""

FrameKey = tuple[int, float, int, tuple[tuple[str, bool, Amounts | None], ...], Alike]
"""Slots, cores and memory; class of each device, whether slots share it without limit, and what portions of it are
taken from (None: it is taken whole); and which are alike."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What some slots of a request get at one level: devices by position, how many of each alike,
    what they cost, and how full the worker is then.

    ``parts`` are positions of devices of which slots take ``portions``, once for each slot.
    """

    shared: tuple[int, ...]
    taken: tuple[int, ...]
    cost: Cost
    left: Level
    parts: tuple[int, ...] = ()
    portions: Portions = ()


@dataclass(frozen=True, slots=True, eq=False)
class Aspect:
    """What a frame is for a demand: amounts, and the devices that satisfy it (None: it does not fit there).

    Demands that differ in their selectors alone mostly have one aspect. ``divides``: a device that satisfies it is shareable.
    """

    request: Request
    able: Eligible | None
    divides: bool = False


class Frame:
    """Workers with as many slots, cores and memory, and as many devices alike. ``model`` is any of them.

    ``number`` says among which alike the device at a position is. ``kinds`` counts those that are built so.
    """

    def __init__(self, key: FrameKey, model: WorkerView, widest: Slot) -> None:
        """No kind yet. ``widest``: no slot of any demand takes more."""
        self.key = key
        self.model = model
        self.alike = key[-1]
        self.kinds = 0
        self.positions = {device.id: at for at, device in enumerate(model.devices)}
        self.number = {at: number for number, positions in enumerate(self.alike) for at in positions}
        self.totals: Counter[str] = Counter({CPU: max(millicores(model.cpu_cores), 0)})
        self.totals.update(thousandths_by_class(self.positions, (), model))
        self.nothing = (0,) * len(self.alike)
        self._aspects: dict[object, Aspect] = {}
        self._costs: dict[tuple[Aspect, int, tuple[int, ...], Portions], Cost] = {}
        self.widen(widest)

    def widen(self, widest: Slot) -> None:
        """Begin anew with levels: a slot may take more than any did so far. Who is how full has to be said again."""
        own = max(millicores(self.model.cpu_cores), 0) // max(self.model.slots_total, 1)
        self._widest = (max(widest[0], own), widest[1])
        self._levels: dict[Free, Level] = {}
        self.idle = self.level(Free.whole(self.model))

    def aspect(self, request: Request, able: Eligible | None, places: Alike | None) -> Aspect:
        """What the frame is for a request that wants so many devices, each list of those at some places."""
        counts, amounts = (able.counts, able.amounts) if able is not None else ((), ())
        key = (request.cpu_cores, request.memory_bytes, request.exclusive, counts, amounts, places)
        found = self._aspects.get(key)
        if found is None:
            mine, divides, devices, shareable = None, False, self.model.devices, self.model.shareable
            if places is not None:
                mine = Eligible(counts, tuple(tuple(devices[at].id for at in one) for one in places), amounts)
                divides = bool(shareable) and any(one in shareable for ids in mine.candidates for one in ids)
            found = self._aspects[key] = Aspect(request, mine, divides)
        return found

    def level(self, free: Free) -> Level:
        """The level with so much free, leaving aside what is more than its free slots could ever take."""
        slots = free.slots
        cpu, memory = slots * self._widest[0], slots * self._widest[1]
        if free.portions:
            free = self._in_order(free)
        if slots <= 0:
            free = replace(free, cpu_millis=0, memory_bytes=0, devices=frozenset(), portions=())
        elif free.cpu_millis > cpu or free.memory_bytes > memory:
            free = replace(free, cpu_millis=min(free.cpu_millis, cpu), memory_bytes=min(free.memory_bytes, memory))
        found = self._levels.get(free)
        if found is None:
            if len(self._levels) >= _MOST_LEVELS:
                self._forget()
            found = self._levels[free] = Level(self, free)
        return found

    def _in_order(self, free: Free) -> Free:
        """The same with those first, of devices that are alike, of which portions are taken, then those of which nothing is."""
        states, devices, portions = dict(free.portions), set(free.devices), list[Portion]()
        for positions in self.alike:
            names = [self.model.devices[at].id for at in positions]
            partly = sorted([states[one] for one in names if one in states])
            if partly:
                whole = len(devices.intersection(names))
                devices.difference_update(names)
                devices.update(names[len(partly) : len(partly) + whole])
                portions += map(Portion, names, partly)
        return replace(free, devices=frozenset(devices), portions=tuple(sorted(portions)))

    def cost(self, aspect: Aspect, slots: int, counts: tuple[int, ...], portions: Portions = ()) -> Cost:
        """What an allocation takes of the fleet; one that is exclusive takes the whole worker."""
        found = self._costs.get((aspect, slots, counts, portions))
        if found is None:
            whole = aspect.request.exclusive
            cost = Counter(self.totals if whole else {CPU: slots * slot_millicores(aspect.request, self.model)})
            for positions, count in zip(self.alike, self.nothing if whole else counts, strict=True):
                cost[self.model.devices[positions[0]].device_class] += 1000 * count
            for one in () if whole else portions:
                device = self.model.shareable[one.device_id]
                cost[device.device_class] += thousandths(one, device)
            found = tuple(sorted(item for item in cost.items() if item[1]))
            self._costs[aspect, slots, counts, portions] = found
        return found

    def _forget(self) -> None:
        """Keep the levels on which workers are; the rest is a memory alone."""
        self._levels = {free: one for free, one in self._levels.items() if one.fillings or one is self.idle}
        self._costs.clear()
        for one in self._levels.values():
            one.forget()


class _Rooms(dict[Aspect, int]):
    """How many slots fit, asked once for each aspect. It is looked up far more often than anything else."""

    __slots__ = ("_level",)

    def __init__(self, level: Level) -> None:
        """Nothing asked yet."""
        super().__init__()
        self._level = level

    def __missing__(self, aspect: Aspect) -> int:
        able, level = aspect.able, self._level
        found = room(aspect.request, level.frame.model, level.free, able) if able is not None else 0
        self[aspect] = found
        return found


class Level:
    """How full a worker of a frame is: ``rooms[aspect]`` slots fit. ``fillings`` counts the kinds that have such workers.

    ``grants`` are those that were made, by aspect and slots.
    """

    __slots__ = ("_after", "_devices", "_parted", "fillings", "frame", "free", "grants", "rooms", "slots")

    def __init__(self, frame: Frame, free: Free) -> None:
        """Nobody is so full yet."""
        self.frame = frame
        self.free = free
        self.slots = free.slots
        self.fillings = 0
        self.rooms = _Rooms(self)
        self.grants: dict[tuple[Aspect, int], Grant] = {}
        self._after: dict[tuple[Aspect, int], Level] = {}
        self._devices: dict[tuple[int, ...], Level] = {}
        self._parted: dict[Portions, Level] = {}

    def forget(self) -> None:
        """Drop what was remembered."""
        for memory in (self.rooms, self.grants, self._after, self._devices, self._parted):
            memory.clear()

    def grant(self, aspect: Aspect, slots: int) -> Grant:
        """What so many slots get: at least one, at most there is room for."""
        found = self.grants.get((aspect, slots))
        if found is None:
            found = self.grants[aspect, slots] = self._granted(aspect, slots)
        return found

    def after(self, aspect: Aspect, slots: int) -> Level:
        """How full a worker is when so many slots are held, leaving devices aside."""
        found = self._after.get((aspect, slots))
        if found is None:
            found = self.frame.level(self.free.minus(aspect.request, slots, (), self.frame.model))
            self._after[aspect, slots] = found
        return found

    def without(self, counts: tuple[int, ...]) -> Level:
        """How full a worker is when so many devices of each alike are held besides."""
        if not any(counts) or self.free.closed:
            return self
        found = self._devices.get(counts)
        if found is None:
            free = self.free
            devices = free.devices.difference(self._last(counts))
            left = replace(free, devices=devices, untouched=False)
            found = self._devices[counts] = self.frame.level(left)
        return found

    def parted(self, portions: Portions) -> Level:
        """How full a worker is when just these portions of devices are held, which come first of those that are alike."""
        if self.free.closed:
            return self
        found = self._parted.get(portions)
        if found is None:
            devices = self.free.devices.difference([one.device_id for one in portions])
            found = self.frame.level(replace(self.free, devices=devices, portions=portions, untouched=False))
            self._parted[portions] = found
        return found

    def disturbed(self, *, alone: bool) -> Level:
        """How full a worker is when others of its host are in use; ``alone``: by somebody who has the host for himself."""
        free = self.free.beside([_HELD_ALONE if alone else _IN_USE])
        return self if free is self.free else self.frame.level(free)

    def _granted(self, aspect: Aspect, slots: int) -> Grant:
        frame, able = self.frame, aspect.able
        if able is None or self.rooms[aspect] < slots:
            raise ValueError(f"no room for {slots} slots")
        counts, shared, parts = frame.nothing, tuple[int, ...](), tuple[int, ...]()
        portions: Portions = ()
        if able.counts:
            given = granted(frame.model, self.free, able, slots)
            if able.amounts:
                portions = together(chain.from_iterable(portions_of(aspect.request, given, frame.model)))
            divided = {one.device_id for one in portions}
            ids = dict.fromkeys(one for one in chain.from_iterable(given) if one not in divided)
            places = [frame.positions[one] for one in ids]
            taken = [frame.number[at] for at in places if at in frame.number]
            counts = tuple([taken.count(number) for number in range(len(frame.alike))]) if taken else counts
            shared = tuple([at for at in places if at not in frame.number])
            if divided:
                parts = tuple([frame.positions[one] for one in chain.from_iterable(given) if one in divided])
        devices = (*self._last(counts), *(one.device_id for one in portions))
        left = frame.level(self.free.minus(aspect.request, slots, devices, frame.model, portions))
        return Grant(shared, counts, frame.cost(aspect, slots, counts, portions), left, parts, portions)

    def _last(self, counts: tuple[int, ...]) -> tuple[str, ...]:
        """So many free devices of each alike: those that come last, whichever a worker really holds. Only the number matters."""
        if counts is self.frame.nothing:
            return ()
        devices, ids = self.frame.model.devices, list[str]()
        for positions, count in zip(self.frame.alike, counts, strict=True):
            if count:
                free = [devices[at].id for at in positions if devices[at].id in self.free.devices]
                ids += free[max(len(free) - count, 0) :]
        return tuple(ids)


def frame_key(model: WorkerView, alike: Alike) -> FrameKey:
    """What workers have in common that are built alike."""
    shareable = model.shareable
    parted = [tuple(sorted(one.capacities.items())) if one.id in shareable else None for one in model.devices]
    devices = tuple([(one.device_class, one.shared, part) for one, part in zip(model.devices, parted, strict=True)])
    return (model.slots_total, model.cpu_cores, model.memory_bytes, devices, alike)
