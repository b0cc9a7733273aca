"""Who else holds or wants what a request could get."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from crossfleet.coordinator.core import dispatcher
from crossfleet.coordinator.core.lognormal import LogNormal
from crossfleet.coordinator.core.model import Group, Slot, State
from crossfleet.coordinator.core.outcomes import RunState, WorkerState
from crossfleet.coordinator.core.view import free_of, held_slots, least_slots, wanted_slots
from crossfleet.matching.fit import eligible, room
from crossfleet.matching.free import Free
from crossfleet.matching.misfit import Misfit
from crossfleet.matching.model import Request, WorkerView

UNSEEN = LogNormal(math.log(60.0), 1.5)
"""Slot-seconds of a group of which nothing is known: no case is collected, and its suite never ran."""

# What is left of a group of measured cases is sure within a quarter; of guessed ones hardly more than its order.
_MEASURED, _GUESSED = 0.25, 1.0
# An attempt waits on its slot for the one before it, which is no more than this.
_SLACK = 2 * dispatcher.LONGEST_PIECE

Shares = Callable[[str], float]
"""How much a project has for its weight."""
Turn = tuple[int, float, float, str]
"""What decides whose turn it is, the smallest first: priority, share of the project, age or deadline, id."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What the fleet is in now: unix seconds, and the slot-seconds that are expected of groups without collected cases."""

    state: State
    shares: Shares
    expected: Mapping[str, LogNormal]
    now: float


@dataclass(frozen=True, slots=True)
class Pool:
    """The slots of this fleet that a request could get. `held` has slots by group; `kinds` one worker of each kind."""

    free: int
    held: Mapping[str, int]
    kinds: Mapping[str, WorkerView]

    @property
    def slots(self) -> int:
        """All of them, idle or not."""
        return self.free + sum(self.held.values())


@dataclass(frozen=True, slots=True)
class Rival:
    """A group that holds or wants slots of a pool. `known`: its work is no mere guess; `least` slots are of use to it.

    `overdue`: for so many seconds a case of it runs that should have ended.
    """

    group_id: str
    project: str
    turn: Turn
    work: LogNormal
    known: bool
    held: int
    wanted: int
    least: int
    overdue: float


def pool_of(state: State, request: Request) -> Pool:
    """What a request could get of workers that take work now."""
    free, held = 0, dict[str, int]()
    kinds: dict[str, WorkerView] = {}
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
        for one in holders:
            counted += len(one.held)
            share = busy * counted // of_all - given
            given += share
            if one.closing or state.groups[one.group_id].over:
                free += share  # what still runs there ends soon
            else:
                held[one.group_id] = held.get(one.group_id, 0) + share
    return Pool(free, held, kinds)


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
    return Rival(
        group.group_id,
        run.project,
        (priority, situation.shares(run.project), since, group.group_id),
        left(state, group) if group.collected else situation.expected.get(group.group_id, UNSEEN),
        group.collected or group.group_id in situation.expected,
        held_slots(state, group),
        wanted_slots(state, group),
        least_slots(request),
        overdue(situation, group),
    )


def left(state: State, group: Group) -> LogNormal:
    """Slot-seconds of work that a group still has, at the speed that its slots have shown."""
    running = sum(_estimated(group, state.attempts[one].pending) for one in group.attempts)
    seconds = max(group.queue.seconds + running, dispatcher.SHORTEST_PIECE)
    speeds = [slot.pace.speed for slot in _slots(state, group)]
    speed = sum(speeds) / len(speeds) if speeds else 1.0
    return LogNormal(math.log(seconds / speed), _MEASURED if group.estimates_known else _GUESSED)


def overdue(situation: Situation, group: Group) -> float:
    """For how many seconds an attempt runs that should have ended, the worst of them."""
    worst = 0.0
    for slot in _slots(situation.state, group):
        for attempt in (situation.state.attempts[one] for one in slot.attempts[:1]):
            due = _estimated(group, attempt.cases) / slot.pace.speed
            worst = max(worst, situation.now - attempt.assigned_at - due - _SLACK)
    return worst


def _slots(state: State, group: Group) -> list[Slot]:
    return [slot for one in group.allocations for slot in state.allocations[one].slots.values()]


def _estimated(group: Group, cases: Iterable[int]) -> float:
    estimates = group.queue.estimates
    return sum(estimates[index] for index in cases if index < len(estimates))


def ahead(pool: Pool, rivals: Sequence[Rival], turn: Turn) -> list[Rival]:
    """Those that hold nothing of the pool, want something, and whose turn comes first."""
    return [one for one in rivals if one.group_id not in pool.held and one.wanted and one.turn < turn]
