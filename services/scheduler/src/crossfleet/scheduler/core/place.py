"""Gives free slots to groups: fair among the targets of one run, in few large pieces, on the best workers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from crossfleet.scheduler.core.demands import Shape
from crossfleet.scheduler.core.fleet import Fleet
from crossfleet.scheduler.core.model import Proposal
from crossfleet.scheduler.core.queue import Entry
from crossfleet.scheduler.core.reserve import Reservations
from crossfleet.scheduler.core.snapshot import Snapshot

_NOBODY: frozenset[str] = frozenset()


class Placing:
    """One plan as it grows. What it gives away, the fleet no longer has."""

    def __init__(
        self, fleet: Fleet, snapshot: Snapshot, refused: Mapping[str, frozenset[str]], reservations: Reservations
    ) -> None:
        """Nothing given yet. ``refused``: the workers that groups were refused on lately.

        ``hindered``: some workers were closed to those who were served last.
        """
        self.proposals: dict[tuple[str, str], Proposal] = {}
        self.reservations = reservations
        self.hindered = False
        self._fleet = fleet
        self._snapshot = snapshot
        self._refused = refused
        self._room: dict[Shape, int] = {}

    def room(self, shape: Shape) -> int:
        """About how many slots are free for a shape: counted when first asked for, less what it got since."""
        found = self._room.get(shape)
        if found is None:
            found = self._room[shape] = self._fleet.all_room(shape.demand)
        return found

    def share_out(self, entries: list[Entry], most: int) -> dict[str, int]:
        """Let groups take turns, the one that has least first, until nothing fits or they have got ``most`` slots.

        A turn takes the fair part of what is free at once and not slot by slot, so that a group gets few workers
        (each of them has to import and collect) and two groups end at most one piece apart.
        """
        self.hindered = False
        granted = dict.fromkeys((one.group.id for one in entries), 0)
        if len(entries) == 1:
            granted[entries[0].group.id] = self._turn(entries[0], min(entries[0].wanted, most))
            return granted
        active = list(entries)
        available = min(max(self.room(one.shape) for one in active), most)
        while active and most > 0:
            entry = self._next(active)
            fair = -(-available // len(active)) if len(active) > 1 else entry.wanted
            got = self._turn(entry, min(entry.wanted, max(fair, least(entry)), most))
            granted[entry.group.id] += got
            available = max(available - got, 0)
            most -= got
            if not got or not entry.wanted:
                active.remove(entry)
        return granted

    def _next(self, active: list[Entry]) -> Entry:
        """The one that has least; of several the one that the fewest workers satisfy."""
        fewest = min(one.held for one in active)
        least_served = [one for one in active if one.held == fewest]
        if len(least_served) == 1:
            return least_served[0]
        return min(least_served, key=lambda one: (self._fleet.breadth(one.shape.demand), one.group.id))

    def _turn(self, entry: Entry, most: int) -> int:
        """One turn: where it is warm, else one worker with room for all, else as many workers as it takes."""
        group = entry.group
        refused = self._refused.get(group.id, _NOBODY) | self.reservations.closed_to(entry)
        self.hindered = self.hindered or bool(refused or group.avoid)
        if entry.shape.hosts > 1:
            return self._gang(entry, refused)
        got, fewest = 0, min(least(entry), most)
        if entry.held:
            warm = {held.worker_id for held in self._snapshot.held_by(group.id)} - refused - group.avoid
            warm |= {name for owner, name in self.proposals if owner == group.id} - refused - group.avoid
            got += self._onto(entry, warm, fewest, most)
        got += self._anywhere(entry, fewest - got, most - got, refused | group.avoid if group.avoid else refused)
        if group.avoid:
            got += self._onto(entry, group.avoid - refused, fewest - got, most - got)
        return got

    def _anywhere(self, entry: Entry, fewest: int, most: int, banned: AbstractSet[str]) -> int:
        got = 0
        while got < most:
            found = self._fleet.best(entry.shape.demand, max(fewest - got, 1), most - got, banned)
            if found is None:
                break
            got += self._take(entry, found[0], min(found[1], most - got))
        return got

    def _onto(self, entry: Entry, names: Iterable[str], fewest: int, most: int) -> int:
        """The same among few workers."""
        fleet, demand, got = self._fleet, entry.shape.demand, 0
        rooms = {name: fleet.room(name, demand) for name in names}
        while got < most:
            left, need = most - got, max(fewest - got, 1)
            able = [name for name, room in rooms.items() if room >= need]
            if not able:
                break
            name = min(able, key=lambda one: (max(left - rooms[one], 0), *fleet.preference(one)))
            got += self._take(entry, name, min(rooms[name], left))
            rooms[name] = fleet.room(name, demand)
        return got

    def _gang(self, entry: Entry, banned: AbstractSet[str]) -> int:
        """Its fewest slots on each of so many workers at once, or nothing."""
        shape, names = entry.shape, []
        for spared in (entry.group.avoid, _NOBODY):
            names = self._fleet.several(shape.demand, shape.least, shape.hosts, banned | spared)
            if len(names) == shape.hosts:
                return sum(self._take(entry, name, shape.least, gang=entry.group.id) for name in names)
        return 0

    def _take(self, entry: Entry, name: str, slots: int, gang: str = "") -> int:
        """Twice on one worker makes one larger proposal."""
        group, demand = entry.group, entry.shape.demand
        devices = self._fleet.take(name, demand, slots, group.project)
        before = self.proposals.get((group.id, name))
        if before is not None:
            devices = tuple(dict.fromkeys((*before.device_ids, *devices)))
        total = slots + (before.slots if before is not None else 0)
        self.proposals[group.id, name] = Proposal(group.id, name, total, devices, gang)
        if entry.shape in self._room:
            self._room[entry.shape] -= slots
        entry.held += slots
        entry.wanted -= slots
        entry.short -= slots
        return slots


def least(entry: Entry) -> int:
    """The fewest slots that the next piece of a group must have."""
    return max(1, entry.group.request.slots_min - entry.held)
