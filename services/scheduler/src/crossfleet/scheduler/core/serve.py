"""One round through the queue: whose turn it is, and how much of what is free is fair at once."""

from __future__ import annotations

from heapq import heapify, heappop, heapreplace
from math import ceil
from typing import TYPE_CHECKING

from crossfleet.scheduler.core.demands import Demand, Shape
from crossfleet.scheduler.core.place import Placing
from crossfleet.scheduler.core.queue import Entry, Lane, join, leave, together
from crossfleet.scheduler.core.snapshot import Snapshot

if TYPE_CHECKING:
    from crossfleet.scheduler.core.planner import Planner

# How many groups that wait for the same are tried in one round on what others keep, or on workers that refused them.
_DEPTH = 4


class Round:
    """Higher priority first; then the project with the smallest share; of its groups the first that finds room, by age or deadline.

    Who finds no room and could be kept out for ever by smaller work keeps workers for itself as its turn comes.
    """

    def __init__(self, planner: Planner, snapshot: Snapshot, placing: Placing) -> None:
        """Nobody served yet."""
        self._planner = planner
        self._snapshot = snapshot
        self._placing = placing
        self._aside: list[Entry] = []
        self._passed: dict[Shape, int] = {}
        self._open = {shape for shape in planner.shapes.values() if shape.waiting and not shape.shut}
        self._twins: dict[Demand, list[Shape]] = {}
        for shape in self._open:
            if shape.hosts == 1:
                self._twins.setdefault(planner.fleet.search.alike[shape.demand], []).append(shape)

    def serve(self, impatient_since: float) -> None:
        """Serve everybody who finds room. Groups submitted before ``impatient_since`` may not be passed for ever."""
        levels = self._planner.queue.levels
        for lanes in levels.values():
            for lane in lanes.values():
                lane.begin()
        self._serve_the_impatient(impatient_since)
        for priority in sorted(levels, reverse=True):
            if not self._open and not self._placing.reservations.possible:
                break
            self._serve_level(levels[priority])
        for entry in self._aside:
            join(entry)
        for shape in self._passed:
            shape.rests = False

    def _serve_the_impatient(self, since: float) -> None:
        """Of each project that holds nothing at a priority, though a group waits so long, the first gets its fewest slots, before all others."""
        able = self._planner.fleet.satisfiable
        late = [
            (oldest, first.rank, first)
            for lanes in self._planner.queue.levels.values()
            for lane in lanes.values()
            if not lane.held and (oldest := lane.oldest(able, since)) is not None and (first := lane.leading(able))
        ]
        for _, _, entry in sorted(late, key=lambda one: one[:2]):
            if not entry.shape.shut and self._give([entry], entry.shape.least * entry.shape.hosts):
                continue
            # Some worker may have room for a part of a gang: it gets nothing, and has to be kept workers all the same.
            if entry.waits and self._large(entry.shape) and self._placing.reservations.possible:
                self._placing.reservations.make(entry)
                self._set_aside(entry)

    def _serve_level(self, lanes: dict[str, Lane]) -> None:
        planner, placing = self._planner, self._placing
        accounts, reservations, search = planner.accounts, placing.reservations, planner.fleet.search
        wishes = self._snapshot.shares
        waiting = [name for name in sorted(lanes) if not lanes[name].empty]
        standings = {name: accounts.standing(name, wishes.get(name)) for name in waiting}
        turns = [(accounts.share(project, standing), project) for project, standing in standings.items()]
        weights = sum(by for by, _ in standings.values())
        heapify(turns)
        while turns and (self._open or reservations.possible):
            project = turns[0][1]
            standing = standings[project]
            entry = lanes[project].first(self._large if reservations.possible else None)
            if entry is None:
                heappop(turns)
                weights -= standing[0]
            elif entry.shape.shut:
                reservations.make(entry)
                self._set_aside(entry)
            elif not search.has_room(entry.shape):
                self._shut_all_like(entry.shape)
            else:
                part = standing[0] / weights if len(turns) > 1 else 1.0
                bunch = together(entry)
                if reservations.made and len(bunch) == 1 and entry.shape.hosts == 1 and placing.hopeless(entry):
                    self._pass(entry)
                elif self._give(bunch, self._fair(entry, part)):
                    heapreplace(turns, (accounts.share(project, standing), project))

    def _fair(self, entry: Entry, part: float) -> int:
        """The most slots of one turn: all that it wants, or the project's part where others want some too."""
        if part >= 1.0 or entry.wanted <= 1:
            return 1 << 31
        return max(ceil(self._placing.room(entry.shape.demand) * part), entry.shape.least * entry.shape.hosts)

    def _give(self, entries: list[Entry], most: int) -> int:
        """Serve the groups of one run; whoever gets nothing is not asked again in this round."""
        granted = self._placing.share_out(entries, most)
        total = sum(granted.values())
        if not total:
            for entry in entries:
                self._shut_or_set_aside(entry)
            return 0
        for entry, got in granted.items():
            if got:
                shape = entry.shape
                entry.lane.held += got
                self._planner.wait(entry)
                if not shape.waiting:
                    self._open.discard(shape)
                if entry.shape is not shape and not entry.shape.shut:
                    self._open.add(entry.shape)
        return total

    def _shut_or_set_aside(self, entry: Entry) -> None:
        shape, search = entry.shape, self._planner.fleet.search
        roomy = search.has_room(shape) if shape.hosts == 1 else len(search.several(shape, frozenset())) == shape.hosts
        if self._placing.hindered and roomy:
            self._pass(entry)
        else:
            self._shut(shape)

    def _pass(self, entry: Entry) -> None:
        """A group gets nothing in this round, though there is room; after some of its shape no more are tried."""
        shape = entry.shape
        self._set_aside(entry)
        self._passed[shape] = self._passed.get(shape, 0) + 1
        if self._passed[shape] >= _DEPTH:
            shape.rests = True
            self._open.discard(shape)

    def _shut_all_like(self, shape: Shape) -> None:
        """No worker has room for a shape, nor for any that wants as much of the same everywhere."""
        self._shut(shape)
        for twin in self._twins.get(self._planner.fleet.search.alike[shape.demand], ()):
            if twin.least >= shape.least and not twin.shut:
                self._shut(twin)

    def _shut(self, shape: Shape) -> None:
        shape.shut = True
        self._open.discard(shape)

    def _set_aside(self, entry: Entry) -> None:
        leave(entry)
        self._aside.append(entry)
        if not entry.shape.waiting:
            self._open.discard(entry.shape)

    def _large(self, shape: Shape) -> bool:
        """Whether small work could keep a shape out for ever."""
        several = shape.hosts > 1 or shape.least > 1 or shape.demand.request.exclusive
        return several or self._planner.fleet.large(shape.demand)
