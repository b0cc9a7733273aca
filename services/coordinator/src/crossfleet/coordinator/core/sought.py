"""What a group asks for while cases that failed are to be run again elsewhere, and it has no such place."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from crossfleet.coordinator.core.placement import Whence, spots
from crossfleet.matching.model import Request
from crossfleet.matching.substitution import literal
from crossfleet.matching.template import conjunction

if TYPE_CHECKING:
    from crossfleet.coordinator.core.model import Group, State


def seeks(group: Group) -> bool:
    """Whether all that is left for a group to begin is to be run again elsewhere."""
    return bool(group.sought) and len(group.sought) == group.queue.count


def request_now(state: State, group: Group) -> Request:
    """What a group asks for: while it seeks, nothing of where its cases failed."""
    request = group.target.request
    if not seeks(group):
        return request
    return away_from(group.sought.whences, request, other_model=_other_model(state, group))


def away_from(whences: Collection[Whence], request: Request, *, other_model: bool) -> Request:
    """A request that nothing satisfies where cases failed."""
    if other_model and all(one.models for one in whences):
        models = {model for one in whences for model in one.models}
        clause = f"!(has(device.model) && device.model in {literal(sorted(models))})"
    else:
        clause = f"!(worker.name in {literal(sorted({name for one in whences for name in one.workers}))})"
    return replace(request, selector=conjunction((request.selector, clause)))


def slots_away(state: State, group: Group) -> int:
    """Slots that a group which seeks holds, or soon will, where none of its cases failed."""
    other_model = _other_model(state, group)
    held = (state.allocations[allocation_id] for allocation_id in group.allocations)
    return sum(
        len(spot.slots)
        for allocation in held
        if not allocation.closing
        for spot in spots(allocation)
        if all(one.is_away(spot.worker_id, spot.models, other_model=other_model) for one in group.sought.whences)
    )


def goes_elsewhere(state: State, group: Group, worker_id: str, models: frozenset[str]) -> bool:
    """Whether all that is left for a group to begin is to be run again elsewhere than by such a slot of a worker."""
    other_model = _other_model(state, group)
    return seeks(group) and not any(
        one.is_away(worker_id, models, other_model=other_model) for one in group.sought.whences
    )


def _other_model(state: State, group: Group) -> bool:
    return state.runs[group.run_id].policy.other_model
