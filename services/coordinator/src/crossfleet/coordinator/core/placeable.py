"""Whether a group could be placed now, or ever: what its scheduler is expected to notice.

Only so many workers are looked at, as everybody waits meanwhile: what is not seen is not held against anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from crossfleet.coordinator.core import view
from crossfleet.coordinator.core.model import Group, State, Worker
from crossfleet.coordinator.core.outcomes import WorkerState
from crossfleet.coordinator.core.sought import request_now
from crossfleet.matching.fit import eligible, fit
from crossfleet.matching.free import Fit, Free
from crossfleet.matching.misfit import Misfit, Wait

_MOST_WORKERS = 500

Room = list[tuple[Worker, Free]]


def first_placeable(state: State, groups: Iterable[Group]) -> Group | None:
    """The first of some groups for which there is room."""
    return next(placeable(state, groups), None)


def placeable(state: State, groups: Iterable[Group]) -> Iterator[Group]:
    """Those of some groups for which there is room, each if it alone were placed."""
    room: Room | None = None
    for group in groups:
        if view.wanted_slots(state, group) > 0:
            room = _room(state) if room is None else room
            if _placeable(state, group, room):
                yield group


def surely_satisfiable(state: State, group: Group) -> bool:
    """Whether a worker, were it idle, could give it a slot, so that it may have to wait, but not for ever.

    Of gangs and the like nothing is said here: for these one worker is no proof. Nor of what asks for other things with time.
    """
    request = group.target.request
    if request.gang > 1 or request.slots_min > 1 or group.whereabouts is not None or group.sought:
        return False
    living = (one.view for one in state.workers.values() if one.state is not WorkerState.LOST)
    return any(not _never(eligible(request, one, state.selectors)) for one in islice(living, _MOST_WORKERS))


def _room(state: State) -> Room:
    """Workers with free slots, and what else of them is free."""
    found = (one for one in state.workers.values() if one.state is WorkerState.READY and _has_slots(state, one))
    return [(one, view.free_of(state, one)) for one in islice(found, _MOST_WORKERS)]


def _has_slots(state: State, worker: Worker) -> bool:
    held = sum(len(state.allocations[allocation_id].held) for allocation_id in worker.allocations)
    return held < worker.view.slots_total


def _placeable(state: State, group: Group, room: Room) -> bool:
    """Whether there is room for the fewest slots that make sense for it; of a gang, on as many workers as it takes."""
    request = request_now(state, group)
    held = view.held_slots(state, group)
    least = min(max(request.slots_min - held, 1), view.wanted_slots(state, group))
    missing = max(request.gang, 1)
    avoided = group.avoid if group.failures and held else frozenset()
    for worker, free in room:
        if worker.worker_id in avoided or free.slots < least:
            continue
        if isinstance(fit(request, worker.view, free, state.selectors, least=least, most=least), Fit):
            missing -= 1
            if not missing:
                return True
    return False


def _never(found: object) -> bool:
    return isinstance(found, Misfit) and found.wait is Wait.NEVER
