"""Who waits, in order: by priority, project and age, and for each project by what its groups wait for."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from dataclasses import dataclass

from crossfleet.scheduler.core.demands import Shape
from crossfleet.scheduler.core.model import Group

Rank = tuple[int, float, str, str]


def rank(group: Group) -> Rank:
    """Smaller goes first where shares do not decide: priority, then the older run. Total: ids break ties."""
    return (-group.priority, group.submitted_at, group.run_id, group.id)


@dataclass(eq=False, slots=True)
class Entry:
    """A group as it is planned. ``held`` counts slots, proposed ones included; ``wanted`` those that it may still get.

    ``short`` is what it lacks of all that it asked for, its own limit aside. ``counted`` is what its lane counts as held.
    """

    group: Group
    rank: Rank
    shape: Shape
    held: int = 0
    short: int = 0
    wanted: int = 0
    counted: int = 0


class Lane:
    """The waiting groups of one project at one priority. ``held`` counts slots of all its groups."""

    __slots__ = ("_heads", "_queues", "held")

    def __init__(self) -> None:
        """Nobody waits."""
        self.held = 0
        self._queues: dict[Shape, list[tuple[Rank, Entry]]] = {}
        self._heads: list[tuple[Rank, Shape]] = []

    @property
    def empty(self) -> bool:
        """Whether nobody waits."""
        return not self._heads

    def add(self, entry: Entry) -> None:
        """A group waits."""
        queue = self._queues.setdefault(entry.shape, [])
        first = queue[0][0] if queue else None
        insort(queue, (entry.rank, entry))
        if first is None or entry.rank < first:
            self._lead(entry.shape, first, entry.rank)

    def remove(self, entry: Entry) -> None:
        """A group no longer waits."""
        queue = self._queues[entry.shape]
        at = bisect_left(queue, (entry.rank,))
        del queue[at]
        if not queue:
            del self._queues[entry.shape]
        if at == 0:
            self._lead(entry.shape, entry.rank, queue[0][0] if queue else None)

    def open(self) -> Entry | None:
        """The oldest group that may find room."""
        for _, shape in self._heads:
            if not (shape.shut or shape.rests):
                return self._queues[shape][0][1]
        return None

    def first(self, besides: Callable[[Shape], bool]) -> Entry | None:
        """The oldest group that may find room, or whose shape is shut and one of those besides."""
        for _, shape in self._heads:
            if not (shape.shut or shape.rests) or (shape.shut and besides(shape)):
                return self._queues[shape][0][1]
        return None

    def oldest(self, which: Callable[[Shape], bool]) -> Entry | None:
        """The oldest group of a shape that is one of those."""
        return next((self._queues[shape][0][1] for _, shape in self._heads if which(shape)), None)

    def _lead(self, shape: Shape, before: Rank | None, now: Rank | None) -> None:
        if before is not None:
            del self._heads[bisect_left(self._heads, (before,))]
        if now is not None:
            insort(self._heads, (now, shape))


class Queue:
    """Lanes by priority and project, and the waiting groups of each run, which share."""

    def __init__(self) -> None:
        """Nobody waits."""
        self.levels: dict[int, dict[str, Lane]] = {}
        self._runs: dict[tuple[int, str, str], dict[str, Entry]] = {}

    def enter(self, entry: Entry) -> None:
        """Count what a group holds, and let it wait if it wants something."""
        lane = self._lane(entry)
        entry.counted = entry.held
        lane.held += entry.counted
        if entry.wanted > 0:
            lane.add(entry)
            entry.shape.waiting += 1
            entry.shape.demand.waiting += 1
            self._runs.setdefault(_bunch(entry.group), {})[entry.group.id] = entry

    def leave(self, entry: Entry) -> None:
        """Forget a group."""
        lane = self._lane(entry)
        lane.held -= entry.counted
        key = _bunch(entry.group)
        bunch = self._runs.get(key, {})
        if entry.group.id in bunch:
            lane.remove(entry)
            entry.shape.waiting -= 1
            entry.shape.demand.waiting -= 1
            del bunch[entry.group.id]
            if not bunch:
                del self._runs[key]

    def tidy(self) -> None:
        """Forget the lanes in which nobody waits and nothing is held."""
        for priority, lanes in list(self.levels.items()):
            for project in [name for name, lane in lanes.items() if lane.empty and not lane.held]:
                del lanes[project]
            if not lanes:
                del self.levels[priority]

    def _lane(self, entry: Entry) -> Lane:
        lanes = self.levels.setdefault(entry.group.priority, {})
        found = lanes.get(entry.group.project)
        if found is None:
            found = lanes[entry.group.project] = Lane()
        return found

    def bunch(self, entry: Entry) -> list[Entry]:
        """The waiting groups of one run: a matrix of targets proceeds side by side."""
        return sorted(self._runs[_bunch(entry.group)].values(), key=lambda one: one.rank)


def _bunch(group: Group) -> tuple[int, str, str]:
    return (group.priority, group.project, group.run_id or f"group {group.id}")
