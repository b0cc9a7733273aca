"""Gives free slots to groups: fair among the targets of one run, in few large pieces, on the best workers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from functools import cached_property
from operator import attrgetter

from crossfleet.matching.model import Placement, Portions
from crossfleet.matching.portions import together
from crossfleet.scheduler.core.demands import Demand, Shape
from crossfleet.scheduler.core.fleet import Fleet
from crossfleet.scheduler.core.model import Proposal
from crossfleet.scheduler.core.queue import Entry
from crossfleet.scheduler.core.reserve import Reservations
from crossfleet.scheduler.core.snapshot import Snapshot

_NOBODY: frozenset[str] = frozenset()
_held = attrgetter("held")


class Placing:
    """One plan as it grows. What it gives away, the fleet no longer has."""

    def __init__(
        self, fleet: Fleet, snapshot: Snapshot, refused: Mapping[str, frozenset[str]], reservations: Reservations
    ) -> None:
        """Nothing given yet. ``refused``: the workers that groups were refused on lately.

        ``given`` has what is proposed, by group and worker. ``hindered``: some workers were closed to those who were served last.
        """
        self.given: dict[str, dict[str, Proposal]] = {}
        self.reservations = reservations
        self.hindered = False
        self._fleet = fleet
        self._search = fleet.search
        self._snapshot = snapshot
        self._refused = refused
        self._room: dict[Demand, int] = {}

    def room(self, demand: Demand) -> int:
        """About how many slots are free for a demand: counted when first asked for, less what those like it got since."""
        alike = self._search.alike[demand]
        found = self._room.get(alike)
        if found is None:
            found = self._room[alike] = self._search.all_room(alike)
        return found

    def proposals(self) -> tuple[Proposal, ...]:
        """All that is proposed."""
        return tuple([one for mine in self.given.values() for one in mine.values()])

    @cached_property
    def by_worker(self) -> Mapping[str, list[tuple[str, int]]]:
        """What was given of each worker: groups, and slots of each. Asked when the plan is made."""
        found: dict[str, list[tuple[str, int]]] = {}
        for one in self.proposals():
            found.setdefault(one.worker_id, []).append((one.group_id, one.slots))
        return found

    def share_out(self, entries: list[Entry], most: int) -> dict[Entry, int]:
        """Let groups take turns, the one that has least first, until nothing fits or they have got ``most`` slots.

        A turn takes the fair part of what is free at once and not slot by slot, so that a group gets few workers
        (each of them has to import and collect) and two groups end at most one piece apart. Answers what each got.
        """
        self.hindered = False
        if len(entries) == 1:
            return {entries[0]: self._turn(entries[0], min(entries[0].wanted, most))}
        granted = dict.fromkeys(entries, 0)
        # Of several that have as little that one goes first which the fewest workers satisfy.
        active = sorted(entries, key=lambda one: (self._fleet.breadth(one.shape.demand), one.group.id))
        available = min(max([self.room(one.shape.demand) for one in active]), most)
        while active and most > 0:
            entry = min(active, key=_held)
            fair = -(-available // len(active)) if len(active) > 1 else entry.wanted
            got = self._turn(entry, min(entry.wanted, max(fair, least(entry)), most))
            granted[entry] += got
            available = max(available - got, 0)
            most -= got
            if not got or not entry.wanted:
                active.remove(entry)
        return granted

    def _turn(self, entry: Entry, most: int) -> int:
        """One turn: where it is warm, else one worker with room for all, else as many workers as it takes."""
        group = entry.group
        banned = self._closed_to(entry) if self._refused or self.reservations.made else _NOBODY
        if banned or group.avoid:
            self.hindered = True
        if entry.shape.hosts > 1:
            return self._gang(entry, banned)
        got, fewest = 0, min(least(entry), most)
        if group.request.placement is Placement.SPREAD:
            for refused in (banned | group.avoid, banned) if group.avoid else (banned,):
                got += self._scatter(entry, fewest - got, most - got, refused)
            return got
        closed = banned | group.avoid if group.avoid else banned
        if entry.held:
            got += self._onto(entry, self._warm(entry), fewest, most, closed)
        if got < most:
            got += self._anywhere(entry, fewest - got, most - got, closed)
        if group.avoid:
            got += self._onto(entry, group.avoid, fewest - got, most - got, banned)
        return got

    def hopeless(self, entry: Entry) -> bool:
        """Whether there is no room but where a group may not go."""
        banned = self._closed_to(entry)
        return bool(banned) and not self._search.has_room_beside(entry.shape, banned)

    def _closed_to(self, entry: Entry) -> frozenset[str]:
        """The workers on which a group was refused, or which are kept for others."""
        refused, closed = self._refused.get(entry.group.id, _NOBODY), self.reservations.closed_to(entry)
        return refused | closed if refused else closed

    def _anywhere(self, entry: Entry, fewest: int, most: int, banned: AbstractSet[str]) -> int:
        got, demand = 0, entry.shape.demand
        while got < most:
            found = self._search.best(demand, max(fewest - got, 1), most - got, banned)
            if found is None:
                break
            name, slots = found
            if entry.group.warm:
                name = self._warmer(entry, name, slots, banned)
            got += self._take(entry, name, slots)
        return got

    def _warmer(self, entry: Entry, name: str, slots: int, banned: AbstractSet[str]) -> str:
        """Of the workers that are as good as one that was found, the one on which the least is to be done first."""
        equal = self._fleet.equals
        able = (one for one in entry.group.warm if one not in banned and equal(one, name, entry.shape.demand, slots))
        return next(able, name)

    def _scatter(self, entry: Entry, fewest: int, most: int, banned: AbstractSet[str]) -> int:
        """In the smallest pieces, each on a worker that has none of the group yet, as long as there is one."""
        got, used = 0, self._warm(entry) | banned
        while got < most:
            slots = max(fewest - got, 1)
            name = self._search.widest(entry.shape.demand, slots, used)
            if name is not None:
                got += self._take(entry, name, slots)
                used.add(name)
            elif len(used) > len(banned):
                used = set(banned)
            else:
                break
        return got

    def _warm(self, entry: Entry) -> set[str]:
        """The workers on which a group has something, or gets it by this plan."""
        warm = {held.worker_id for held in self._snapshot.held_by(entry.group.id)}
        warm.update(self.given.get(entry.group.id, ()))
        return warm

    def _onto(self, entry: Entry, names: Iterable[str], fewest: int, most: int, banned: AbstractSet[str]) -> int:
        """The same among few workers."""
        fleet, demand, got = self._fleet, entry.shape.demand, 0
        rooms = {name: room for name in names if name not in banned and (room := fleet.room(name, demand))}
        while rooms and got < most:
            left, need = most - got, max(fewest - got, 1)
            able = [name for name, room in rooms.items() if room >= need]
            if not able:
                break
            name = min(able, key=lambda one: (max(left - rooms[one], 0), *fleet.preference(one)))
            got += self._take(entry, name, min(rooms[name], left))
            again = rooms if demand.request.exclusive else (name,)
            rooms.update([(one, fleet.room(one, demand)) for one in again])
        return got

    def _gang(self, entry: Entry, banned: AbstractSet[str]) -> int:
        """Its fewest slots on each of so many workers at once, or nothing."""
        shape, names = entry.shape, []
        for spared in (entry.group.avoid, _NOBODY):
            names = self._apart(shape, banned | spared)
            if len(names) == shape.hosts:
                return sum([self._take(entry, name, shape.least, gang=entry.group.id) for name in names])
        return 0

    def _apart(self, shape: Shape, banned: AbstractSet[str]) -> list[str]:
        """The workers of a gang: of each host one, where each is to be had alone."""
        if not shape.demand.request.exclusive:
            return self._search.several(shape, banned)
        names, closed = list[str](), set(banned)
        while len(names) < shape.hosts and (found := self._search.several(shape, closed)):
            names.append(found[0])
            closed.update((found[0], *self._fleet.neighbours(found[0])))
        return names

    def _take(self, entry: Entry, name: str, slots: int, gang: str = "") -> int:
        """Twice on one worker makes one larger proposal."""
        group, demand, total = entry.group, entry.shape.demand, slots
        devices, portions = self._fleet.take(name, demand, slots, group.project)
        mine = self.given.get(group.id)
        if mine is None:
            mine = self.given[group.id] = {}
        elif name in mine:
            portions = together((*mine[name].portions, *portions)) if portions or mine[name].portions else ()
            devices = _each_once((*mine[name].device_ids, *devices), portions)
            total += mine[name].slots
        mine[name] = Proposal(group.id, name, total, devices, gang, portions)
        alike = self._search.alike[demand]
        if alike in self._room:
            self._room[alike] -= slots
        entry.held += slots
        entry.wanted -= slots
        entry.short -= slots
        return slots


def _each_once(devices: Iterable[str], portions: Portions) -> tuple[str, ...]:
    """Devices each once, but those as often as before of which portions are taken."""
    if not portions:
        return tuple(dict.fromkeys(devices))
    parted = {one.device_id for one in portions}
    named = list(devices)
    return (*dict.fromkeys(one for one in named if one not in parted), *(one for one in named if one in parted))


def least(entry: Entry) -> int:
    """The fewest slots that the next piece of a group must have."""
    return max(1, entry.group.request.slots_min - entry.held)
