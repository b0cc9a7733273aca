"""Who else holds or wants what a request could get."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from crossfleet.coordinator.core.lognormal import LogNormal, total
from crossfleet.coordinator.core.model import Group, State
from crossfleet.coordinator.core.outcomes import RunState, WorkerState
from crossfleet.coordinator.core.overheads import UNKNOWN_SETUP
from crossfleet.coordinator.core.release import Release
from crossfleet.coordinator.core.remaining import Remaining, remaining
from crossfleet.coordinator.core.underway import Underway
from crossfleet.coordinator.core.view import free_of, held_slots, least_slots, wanted_slots
from crossfleet.matching.fit import eligible, room
from crossfleet.matching.free import Free
from crossfleet.matching.misfit import Misfit
from crossfleet.matching.model import Request, WorkerView


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a group is expected to need: slot-seconds in all, and seconds on each of its slots before the first case."""

    work: LogNormal
    setup: LogNormal


UNSEEN = Foreseen(LogNormal(math.log(60.0), 1.8), UNKNOWN_SETUP)
"""A group of which nothing is known: no case is collected, and its suite never ran."""

Shares = Callable[[str], float]
"""How much a project has for its weight."""
Turn = tuple[int, float, float, str]
"""What decides whose turn it is, the smallest first: priority, share of the project, age or deadline, id."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What the fleet is in now: unix seconds, and what is expected of groups without collected cases."""

    state: State
    shares: Shares
    expected: Mapping[str, Foreseen]
    now: float


@dataclass(frozen=True, slots=True)
class Part:
    """What of a pool is on one worker: `idle` slots, and those that are held, by allocation."""

    worker_id: str
    idle: int
    held: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Pool:
    """The slots of this fleet that a request could get. `held` has slots by group; `kinds` one worker of each kind.

    `told` to give slots back are allocations that execute something yet. `taken` are those that a class that preempts may have, one step
    after the other.
    """

    free: int
    held: Mapping[str, int]
    kinds: Mapping[str, WorkerView]
    parts: Sequence[Part] = ()
    told: Sequence[Release] = ()
    taken: Sequence[Sequence[Release]] = ()

    @property
    def slots(self) -> int:
        """All of them, idle or not."""
        return self.free + sum(self.held.values()) + sum(one.slots for one in self.told)


@dataclass(frozen=True, slots=True)
class Rival:
    """A group that holds or wants slots of a pool. `known`: its work is no mere guess; `least` slots are of use to it.

    `like` is equal for those whose work is likely more, or less, than it seems together. `work` is what it has not begun,
    `longest` the longest piece of that, which goes first if `longest_first`, `underway` what its slots do now, `setup` what a new slot does first.
    """

    group_id: str
    project: str
    turn: Turn
    work: LogNormal
    known: bool
    held: int
    wanted: int
    least: int
    like: str = ""
    longest: LogNormal | None = None
    longest_first: bool = True
    underway: tuple[Underway, ...] = ()
    setup: LogNormal | None = None

    @property
    def seconds(self) -> LogNormal:
        """Slot-seconds of all its work."""
        return total([], [[self.work], *([one.about()] for one in self.underway)])


def pool_of(state: State, request: Request) -> Pool:
    """What a request could get of workers that take work now."""
    free, held = 0, dict[str, int]()
    kinds: dict[str, WorkerView] = {}
    parts: list[Part] = []
    for worker in state.workers.values():
        if worker.state is not WorkerState.READY:
            continue
        found = eligible(request, worker.view, state.selectors)
        if isinstance(found, Misfit):
            continue
        kinds.setdefault(worker.view.signature, worker.view)
        idle = room(request, worker.view, free_of(state, worker), found)
        free += idle
        busy = room(request, worker.view, Free.whole(worker.view), found) - idle
        names = list(worker.allocations)
        if busy and (request.exclusive or not names):
            names += [one for other in state.neighbours(worker) for one in other.allocations]
        holders = [state.allocations[one] for one in names]
        of_all = sum(len(one.held) for one in holders)
        counted = given = 0
        shares: dict[str, int] = {}
        for one in holders:
            counted += len(one.held)
            share = shares[one.allocation_id] = busy * counted // of_all - given
            given += share
            if one.closing or state.groups[one.group_id].over:
                free += share  # what still runs there ends soon
            else:
                held[one.group_id] = held.get(one.group_id, 0) + share
        parts.append(Part(worker.worker_id, idle, shares))
    return Pool(free, held, kinds, parts)


def rivals_of(situation: Situation, pool: Pool) -> list[Rival]:
    """The groups that hold or want something of a pool."""
    state = situation.state
    answers: dict[Request, bool] = {}

    def competes(request: Request) -> bool:
        if request not in answers:
            found = (eligible(request, view, state.selectors) for view in pool.kinds.values())
            answers[request] = any(not isinstance(one, Misfit) for one in found)
        return answers[request]

    return [
        rival(situation, group)
        for group in state.groups.values()
        if waiting(state, group)
        and (group.group_id in pool.held or (wanted_slots(state, group) and competes(group.target.request)))
    ]


def waiting(state: State, group: Group) -> bool:
    """Whether a group has work that may be placed."""
    return not group.over and state.runs[group.run_id].state < RunState.STOPPING


def rival(situation: Situation, group: Group) -> Rival:
    """A group as others meet it."""
    state = situation.state
    run, request = state.runs[group.run_id], group.target.request
    priority, since = run.turn
    foreseen = situation.expected.get(group.group_id, UNSEEN)
    left = remaining(state, group, situation.now) if group.collected else Remaining(foreseen.work)
    return Rival(
        group.group_id,
        run.project,
        (priority, situation.shares(run.project), since, group.group_id),
        left.work,
        group.any_measured or group.shown.guessed > 0 or group.group_id in situation.expected,
        held_slots(state, group),
        wanted_slots(state, group),
        least_slots(request),
        "/".join(group.suite(run)),
        left.longest,
        left.longest_first,
        (*left.underway, *_getting_ready(situation, group, foreseen.setup)),
        foreseen.setup,
    )


def _getting_ready(situation: Situation, group: Group, setup: LogNormal) -> Iterator[Underway]:
    """What slots do before their first case."""
    for allocation in (situation.state.allocations[one] for one in sorted(group.allocations)):
        if not allocation.ready and not allocation.closing:
            doing = Underway(allocation.allocation_id, setup, situation.now - allocation.opened_at)
            yield from [doing] * len(allocation.slots)


def ahead(pool: Pool, rivals: Sequence[Rival], turn: Turn) -> list[Rival]:
    """Those that hold nothing of the pool, want something, and whose turn comes first."""
    return [one for one in rivals if one.group_id not in pool.held and one.wanted and one.turn < turn]
