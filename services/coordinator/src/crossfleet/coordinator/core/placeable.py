"""Whether a group could be placed now, or ever: what its scheduler is expected to notice."""

from __future__ import annotations

from crossfleet.coordinator.core import view
from crossfleet.coordinator.core.model import Group, State
from crossfleet.coordinator.core.outcomes import WorkerState
from crossfleet.matching.fit import eligible, fit
from crossfleet.matching.free import Fit
from crossfleet.matching.misfit import Misfit, Wait


def placeable(state: State, group: Group) -> bool:
    """Whether some worker has room for the fewest slots that make sense for it; of a gang, as many workers as it takes."""
    wanted = view.wanted_slots(state, group)
    if wanted <= 0:
        return False
    request = group.target.request
    gang = request.gang > 1
    held = view.held_slots(state, group)
    least = min(max(request.slots_min - held, 1), wanted)
    missing = request.gang if gang else 1
    avoided = group.avoid if group.failures and held else frozenset()
    for worker in state.workers.values():
        if worker.state is not WorkerState.READY or worker.worker_id in avoided:
            continue
        free = view.free_of(state, worker)
        if free.slots < least:
            continue
        if isinstance(fit(request, worker.view, free, state.selectors, least=least, most=least), Fit):
            missing -= 1
            if not missing:
                return True
    return False


def surely_satisfiable(state: State, group: Group) -> bool:
    """Whether a worker, were it idle, could give it a slot, so that it may have to wait, but not for ever.

    Of gangs and the like nothing is said here: for these one worker is no proof.
    """
    request = group.target.request
    if request.gang > 1 or request.slots_min > 1:
        return False
    living = (one.view for one in state.workers.values() if one.state is not WorkerState.LOST)
    return any(not _never(eligible(request, one, state.selectors)) for one in living)


def _never(found: object) -> bool:
    return isinstance(found, Misfit) and found.wait is Wait.NEVER
