"""A case that is to be run again elsewhere waits a while for a place that its run does not hold yet, where the fleet has one."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from crossfleet.coordinator.core.dispatching import feed_group
from crossfleet.coordinator.core.emitter import Emitter
from crossfleet.coordinator.core.model import Group, State, Worker
from crossfleet.coordinator.core.outcomes import RerunPlacement, WorkerState
from crossfleet.coordinator.core.placement import Whence, spots, whence
from crossfleet.coordinator.core.rerun_facts import RerunsSought, SlotModels
from crossfleet.coordinator.core.reserving import kept_from
from crossfleet.coordinator.core.settling import open_allocations
from crossfleet.coordinator.core.sought import away_from
from crossfleet.coordinator.core.view import wanted_slots
from crossfleet.matching.fit import Eligible, eligible
from crossfleet.matching.model import Request

# Everybody waits meanwhile: what is not seen is not waited for.
_MOST_WORKERS = 500
_MODEL = "model"


def seek(emit: Emitter, group: Group, indices: Iterable[int]) -> None:
    """Cases are to be run again: those for which no slot of the group is elsewhere, but a worker of the fleet is, wait for that."""
    policy, request = emit.state.runs[group.run_id].policy, group.target.request
    fixed = request.gang > 1 or group.measures or group.whereabouts is not None
    if policy.rerun_placement is not RerunPlacement.HOST or not policy.rerun_wait or fixed or group.over:
        return
    if not wanted_slots(emit.state, group):
        return  # It has all that it may have.
    hopes: dict[Whence, bool] = {}
    cases = []
    for index in indices:
        if index in group.resting or group.queue.is_bound(index):
            continue
        failed_at = whence(group, index)
        if failed_at not in hopes:
            held = _holds(emit, group, failed_at, other_model=policy.other_model)
            away = away_from([failed_at], request, other_model=policy.other_model)
            hopes[failed_at] = not held and _could_have(emit.state, group, away)
        if hopes[failed_at]:
            cases.append(index)
    if cases:
        emit(RerunsSought(group.run_id, group.group_id, tuple(cases), emit.now + policy.rerun_wait))


def end_search(emit: Emitter) -> None:
    """Time went by: what was sought for long enough may go anywhere."""
    for group in list(emit.state.groups.values()):
        vain = tuple(sorted(index for index, until in group.sought.until.items() if until <= emit.now))
        if vain:
            emit(RerunsSought(group.run_id, group.group_id, vain, 0.0))
            feed_group(emit, group)


def note_models(emit: Emitter, group: Group, worker: Worker, allocation_id: str) -> None:
    """An allocation was opened: say which models of devices its slots have, those that slots share only where there are no others."""
    allocation = emit.state.allocations[allocation_id]
    devices = {one.id: one for one in worker.view.devices if _MODEL in one.attributes}
    found = []
    for number, ids in zip(allocation.slots, allocation.device_ids, strict=False):
        own = [devices[one] for one in ids if one in devices]
        alone = [one for one in own if not one.shared] or own
        if alone:
            found.append((number, tuple(sorted({str(one.attributes[_MODEL]) for one in alone}))))
    if found:
        emit(SlotModels(group.run_id, group.group_id, allocation_id, tuple(found)))


def _holds(emit: Emitter, group: Group, failed_at: Whence, *, other_model: bool) -> bool:
    return any(
        failed_at.is_away(spot.worker_id, spot.models, other_model=other_model)
        for allocation in open_allocations(emit, group)
        for spot in spots(allocation)
    )


def _could_have(state: State, group: Group, request: Request) -> bool:
    """Whether a worker that takes work satisfies a request, whoever uses it now."""
    project = state.runs[group.run_id].project
    ready = (one for one in state.workers.values() if one.state is WorkerState.READY)
    return any(
        isinstance(eligible(request, one.view, state.selectors), Eligible)
        and kept_from(state, one.worker_id, project) is None
        for one in islice(ready, _MOST_WORKERS)
    )
