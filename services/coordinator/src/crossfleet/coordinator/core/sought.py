"""What a group asks for while cases that failed are to be run again elsewhere, and it has no such place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from crossfleet.coordinator.core.placement import Failed, failed, spots
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
    return away_from([failed(group, index) for index in group.sought], request, other_model=_other_model(state, group))


def away_from(cases: Iterable[Failed], request: Request, *, other_model: bool) -> Request:
    """A request that nothing satisfies where cases failed."""
    cases = [*cases]
    if other_model and all(one.models for one in cases):
        models = {model for one in cases for model in one.models}
        clause = f"!(has(device.model) && device.model in {literal(sorted(models))})"
    else:
        clause = f"!(worker.name in {literal(sorted({place.worker_id for one in cases for place in one.at}))})"
    return replace(request, selector=conjunction((request.selector, clause)))


def slots_away(state: State, group: Group) -> int:
    """Slots that a group which seeks holds, or soon will, where none of its cases failed."""
    other_model = _other_model(state, group)
    cases = [failed(group, index) for index in group.sought]
    held = (state.allocations[allocation_id] for allocation_id in group.allocations)
    return sum(
        len(spot.slots)
        for allocation in held
        if not allocation.closing
        for spot in spots(allocation)
        if all(one.is_away(spot.worker_id, spot.models, other_model=other_model) for one in cases)
    )


def _other_model(state: State, group: Group) -> bool:
    return state.runs[group.run_id].policy.other_model
