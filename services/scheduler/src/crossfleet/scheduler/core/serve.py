"""One round through the queue: whose turn it is, and how much of what is free is fair at once."""

from __future__ import annotations

from heapq import heapify, heappop, heapreplace
from math import ceil
from typing import TYPE_CHECKING

from crossfleet.scheduler.core.demands import Shape
from crossfleet.scheduler.core.fairness import weight
from crossfleet.scheduler.core.place import Placing
from crossfleet.scheduler.core.queue import Entry, Lane
from crossfleet.scheduler.core.snapshot import Snapshot

if TYPE_CHECKING:
    from crossfleet.scheduler.core.planner import Planner

# How many groups that wait for the same are tried in one round on what others keep, or on workers that refused them.
_DEPTH = 4


class Round:
    """Higher priority first; then the project with the smallest share; of its groups the oldest that finds room.

    Who finds no room and could be kept out for ever by smaller work keeps workers for itself as its turn comes.
    """

    def __init__(self, planner: Planner, snapshot: Snapshot, placing: Placing) -> None:
        """Nobody served yet."""
        self._planner = planner
        self._snapshot = snapshot
        self._placing = placing
        self._aside: list[Entry] = []
        self._passed: dict[Shape, int] = {}

    def serve(self, impatient_since: float) -> None:
        """Serve everybody who finds room. Groups submitted before ``impatient_since`` may not be passed for ever."""
        levels = self._planner.queue.levels
        self._serve_the_impatient(impatient_since)
        for priority in sorted(levels, reverse=True):
            self._serve_level(levels[priority])
        for entry in self._aside:
            self._planner.queue.enter(entry)
        for shape in self._passed:
            shape.rests = False

    def _serve_the_impatient(self, since: float) -> None:
        """The oldest group of each project that holds nothing at a priority gets its fewest slots, before all others."""
        heads = (
            lane.oldest(self._satisfiable)
            for lanes in self._planner.queue.levels.values()
            for lane in lanes.values()
            if not lane.held
        )
        late = [one for one in heads if one is not None and one.group.submitted_at <= since]
        for entry in sorted(late, key=lambda one: (one.group.submitted_at, one.rank)):
            if not entry.shape.shut:
                self._give([entry], entry.shape.least * entry.shape.hosts)
            elif self._large(entry.shape) and self._placing.reservations.possible:
                self._placing.reservations.make(entry)
                self._set_aside(entry)

    def _serve_level(self, lanes: dict[str, Lane]) -> None:
        shares = self._snapshot.shares
        turns = [(self._share(project), project) for project, lane in lanes.items() if not lane.empty]
        weights = sum(weight(shares.get(project)) for _, project in turns)
        heapify(turns)
        while turns:
            project = turns[0][1]
            entry = self._next(lanes[project])
            if entry is None:
                heappop(turns)
                weights -= weight(shares.get(project))
                continue
            if entry.shape.shut:
                self._placing.reservations.make(entry)
                self._set_aside(entry)
                continue
            if not self._planner.fleet.has_room(entry.shape.demand, entry.shape.least):
                entry.shape.shut = True
                continue
            part = weight(shares.get(project)) / weights if len(turns) > 1 else 1.0
            bunch = [one for one in self._planner.queue.bunch(entry) if not one.shape.shut]
            if self._give(bunch, self._fair(entry, part)):
                heapreplace(turns, (self._share(project), project))

    def _next(self, lane: Lane) -> Entry | None:
        """Who is next of a project: finds room perhaps, or may keep workers for itself."""
        if self._placing.reservations.possible:
            return lane.first(self._large)
        return lane.open()

    def _fair(self, entry: Entry, part: float) -> int:
        """The most slots of one turn: all that it wants, or the project's part where others want some too."""
        if part >= 1.0 or entry.wanted <= 1:
            return 1 << 31
        return max(ceil(self._placing.room(entry.shape) * part), entry.shape.least * entry.shape.hosts)

    def _give(self, entries: list[Entry], most: int) -> int:
        """Serve the groups of one run; whoever gets nothing is not asked again in this round."""
        granted = self._placing.share_out(entries, most)
        if not any(granted.values()):
            for entry in entries:
                self._shut_or_set_aside(entry)
            return 0
        for entry in entries:
            if granted[entry.group.id]:
                self._planner.queue.leave(entry)
                self._planner.enter(entry)
        return sum(granted.values())

    def _shut_or_set_aside(self, entry: Entry) -> None:
        shape = entry.shape
        if self._placing.hindered:
            found = self._planner.fleet.several(shape.demand, shape.least, shape.hosts, frozenset())
            if len(found) == shape.hosts:
                self._set_aside(entry)
                self._passed[shape] = self._passed.get(shape, 0) + 1
                shape.rests = self._passed[shape] >= _DEPTH
                return
        shape.shut = True

    def _set_aside(self, entry: Entry) -> None:
        self._planner.queue.leave(entry)
        self._aside.append(entry)

    def _share(self, project: str) -> float:
        planner = self._planner
        return planner.accounts.share(project, planner.fleet.totals, self._snapshot.shares.get(project))

    def _satisfiable(self, shape: Shape) -> bool:
        return any(
            kind.idle.room(kind.aspect(shape.demand)) >= shape.least for kind in self._planner.fleet.able[shape.demand]
        )

    def _large(self, shape: Shape) -> bool:
        """Whether small work could keep a shape out for ever."""
        several = shape.hosts > 1 or shape.least > 1 or shape.demand.request.exclusive
        return several or self._planner.fleet.large(shape.demand)
