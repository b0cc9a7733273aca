"""Who waits, in order: by priority, project, and age or deadline, and for each project by what its groups wait for."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from operator import attrgetter

from crossfleet.matching.deadlines import counts_from
from crossfleet.scheduler.core.demands import Shape
from crossfleet.scheduler.core.model import Group

Rank = tuple[int, float, str, str]


_rank_of = attrgetter("rank")


def rank(group: Group) -> Rank:
    """Smaller goes first where shares do not decide: priority, then the run that counts as older. Total: ids break ties."""
    return (-group.priority, counts_from(group.submitted_at, group.deadline), group.run_id, group.id)


@dataclass(eq=False, slots=True)
class Entry:
    """A group as it is planned. ``held`` counts slots, proposed ones included; ``wanted`` those that it may still get.

    ``short`` is what it lacks of all that it asked for, its own limit aside. ``waits``: its lane has it among those that
    wait. ``run`` has all groups of its run in that lane, itself too. ``hurried``: its deadline puts it before its age.
    """

    group: Group
    rank: Rank
    shape: Shape
    lane: Lane
    run: list[Entry]
    held: int = 0
    short: int = 0
    wanted: int = 0
    waits: bool = False
    hurried: bool = False


class Lane:
    """The groups of one project at one priority, in ``runs`` by run; together they hold ``held`` slots. Of those that wait so many
    are ``preempting``.

    The rest is of those that wait. In one round through the queue shapes only shut, so who looks for one
    that is not goes on where the search before ended; ``begin`` starts the next round.
    """

    __slots__ = ("_ages", "_hurried", "_passed", "_queues", "_ranks", "_shapes", "held", "preempting", "runs")

    def __init__(self) -> None:
        """No group."""
        self.held = self.preempting = 0
        self.runs: dict[str, list[Entry]] = {}
        self._queues: dict[Shape, list[Entry]] = {}
        # Of the first of each queue, in order. Apart, as the shapes are read far more often than the ranks.
        self._ranks: list[Rank] = []
        self._shapes: list[Shape] = []
        self._hurried = 0
        # When the groups of each queue were submitted, once that was asked while deadlines put others before the oldest.
        self._ages: dict[Shape, list[float]] = {}
        self._passed = 0

    @property
    def empty(self) -> bool:
        """Whether nobody waits."""
        return not self._shapes

    def add(self, entry: Entry) -> None:
        """A group waits."""
        self._passed = 0
        self._hurried += entry.hurried
        self.preempting += entry.group.preempts
        if self._ages:
            insort(self._ages.setdefault(entry.shape, []), entry.group.submitted_at)
        queue = self._queues.get(entry.shape)
        if queue is None:
            self._queues[entry.shape] = [entry]
            self._lead(entry.shape, None, entry.rank)
            return
        first = queue[0].rank
        insort(queue, entry, key=_rank_of)
        if entry.rank < first:
            self._lead(entry.shape, first, entry.rank)

    def remove(self, entry: Entry) -> None:
        """A group no longer waits."""
        shape, queue = entry.shape, self._queues[entry.shape]
        self._hurried -= entry.hurried
        self.preempting -= entry.group.preempts
        if self._ages:
            self._forget_age(shape, entry.group.submitted_at)
        if len(queue) == 1:
            del self._queues[shape]
            self._lead(shape, entry.rank, None)
        elif queue[0] is entry:
            del queue[0]
            self._lead(shape, entry.rank, queue[0].rank)
        else:
            del queue[bisect_left(queue, entry.rank, key=_rank_of)]

    def begin(self) -> None:
        """Any shape may have been opened."""
        self._passed = 0

    def first(self, besides: Callable[[Shape], bool] | None) -> Entry | None:
        """The first group that may find room, or whose shape is shut and one of those besides."""
        shapes = self._shapes
        for at in range(self._passed, len(shapes)):
            shape = shapes[at]
            if shape.shut:
                if besides is None or not besides(shape):
                    continue
            elif shape.rests:
                continue
            self._passed = at
            return self._queues[shape][0]
        self._passed = len(shapes)
        return None

    def leading(self, which: Callable[[Shape], bool]) -> Entry | None:
        """The first group of a shape that is one of those."""
        return next((self._queues[shape][0] for shape in self._shapes if which(shape)), None)

    def oldest(self, which: Callable[[Shape], bool], until: float = inf) -> float | None:
        """When the oldest group of a shape that is one of those was submitted, if that was until then."""
        if self._hurried:  # deadlines have put others before the oldest
            if not self._ages:
                queues = self._queues.items()
                self._ages = {shape: sorted([one.group.submitted_at for one in queue]) for shape, queue in queues}
            first = min((ages[0] for shape, ages in self._ages.items() if which(shape)), default=inf)
            return first if first <= until else None
        for (_, submitted_at, _, _), shape in zip(self._ranks, self._shapes, strict=True):
            if submitted_at > until:
                break
            if which(shape):
                return submitted_at
        return None

    def _forget_age(self, shape: Shape, submitted_at: float) -> None:
        ages = self._ages[shape]
        if not self._hurried:
            self._ages.clear()
        elif len(ages) == 1:
            del self._ages[shape]
        else:
            del ages[bisect_left(ages, submitted_at)]

    def _lead(self, shape: Shape, before: Rank | None, now: Rank | None) -> None:
        ranks, shapes, at = self._ranks, self._shapes, self._passed
        if before is not None:
            if at >= len(shapes) or shapes[at] is not shape:
                at = bisect_left(ranks, before)
                self._passed -= at < self._passed
            del ranks[at], shapes[at]
        if now is not None:
            # Groups mostly come in the order in which they are to go.
            at = len(ranks) if not ranks or ranks[-1] < now else bisect_left(ranks, now)
            ranks.insert(at, now)
            shapes.insert(at, shape)


class Queue:
    """Lanes by priority and project."""

    def __init__(self) -> None:
        """Nobody waits."""
        self.levels: dict[int, dict[str, Lane]] = {}

    def enter(self, group: Group, shape: Shape, held: int, short: int) -> Entry:
        """Take a group in, which does not wait yet."""
        lanes = self.levels.setdefault(group.priority, {})
        lane = lanes.get(group.project)
        if lane is None:
            lane = lanes[group.project] = Lane()
        lane.held += held
        run = lane.runs.setdefault(_run(group), [])
        place = rank(group)
        entry = Entry(group, place, shape, lane, run, held, short, hurried=place[1] < group.submitted_at)
        run.append(entry)
        return entry

    def forget(self, entry: Entry) -> None:
        """A group is gone."""
        leave(entry)
        lane, group, levels = entry.lane, entry.group, self.levels
        lane.held -= entry.held
        entry.run.remove(entry)
        if not entry.run:
            del lane.runs[_run(group)]
            if not lane.runs:
                del levels[group.priority][group.project]
                if not levels[group.priority]:
                    del levels[group.priority]


def join(entry: Entry) -> None:
    """Let a group wait: it is not among those that do."""
    shape = entry.shape
    entry.waits = True
    entry.lane.add(entry)
    shape.waiting += 1
    shape.demand.waiting += 1


def leave(entry: Entry) -> None:
    """Let a group wait no longer; one that does not is left alone."""
    if entry.waits:
        shape = entry.shape
        entry.waits = False
        entry.lane.remove(entry)
        shape.waiting -= 1
        shape.demand.waiting -= 1


def together(entry: Entry) -> list[Entry]:
    """The waiting groups of one run that may find room: a matrix of targets proceeds side by side."""
    if len(entry.run) == 1:
        return [entry]
    found = [one for one in entry.run if one.waits and not one.shape.shut]
    found.sort(key=_rank_of)
    return found


def _run(group: Group) -> str:
    return group.run_id or f"group {group.id}"
