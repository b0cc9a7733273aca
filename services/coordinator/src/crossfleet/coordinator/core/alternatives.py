"""Alternatives of a target come in one after the other, each when the one before was waited for in vain."""

from __future__ import annotations

from crossfleet.coordinator.core.emitter import Emitter
from crossfleet.coordinator.core.model import Group, State, Worker
from crossfleet.coordinator.core.outcomes import RunState
from crossfleet.coordinator.core.places import AllocationPlaced, AlternativeSkipped, AlternativesOpened
from crossfleet.coordinator.core.quotas import never_allowed
from crossfleet.coordinator.core.whereabouts import NONE, past_of
from crossfleet.matching.template import offer, satisfied

_MODEL = "model"


def open_alternatives(emit: Emitter) -> None:
    """Open what is due. Time runs while a group holds nothing and nothing of ours holds it back; it starts anew when it has lost all."""
    for group in choosing(emit.state):
        where = group.whereabouts
        if where is None:
            continue
        if _all_skipped(group):
            open_next(emit, group)
        elif group.held_back:
            if where.since:
                emit(AlternativesOpened(group.run_id, group.group_id, where.alternatives, 0.0))
        elif not where.since:
            emit(AlternativesOpened(group.run_id, group.group_id, where.alternatives, emit.now))
        elif emit.now >= where.since + wait_of(group):
            open_next(emit, group)


def skip_never_allowed(emit: Emitter, group: Group) -> None:
    """Leave out the alternatives that the quota of the group's project never allows, and open what follows them."""
    where = group.whereabouts
    if where is None or group.over:
        return
    causes = never_allowed(emit.state.quotas.get(emit.state.runs[group.run_id].project), where.asked)
    for index in range(len(where.asked.ways)):
        if where.skipped.get(index, "") != causes.get(index, ""):
            emit(AlternativeSkipped(group.run_id, group.group_id, index, causes.get(index, "")))
    if _all_skipped(group) and not group.allocations:
        open_next(emit, group)


def _all_skipped(group: Group) -> bool:
    """Whether none of the alternatives that have come in is offered, and another one may be."""
    where = group.whereabouts
    return where is not None and has_next(group) and all(one in where.skipped for one in range(where.alternatives))


def choosing(state: State) -> list[Group]:
    """The groups that hold nothing, want something, and have an alternative that has not come in yet."""
    runs = (run for run in state.runs.values() if run.shifting and run.state < RunState.STOPPING)
    groups = (state.groups[group_id] for run in runs for group_id in run.groups)
    return [one for one in groups if not one.over and not one.allocations and has_next(one)]


def has_next(group: Group) -> bool:
    """Whether a further alternative may come in."""
    where = group.whereabouts
    template = where.asked.template if where is not None else None
    return where is not None and template is not None and where.alternatives < len(template.alternatives)


def wait_of(group: Group) -> float:
    """For how many seconds the last alternative that has come in is waited for."""
    where = group.whereabouts
    template = where.asked.template if where is not None else None
    return template.alternatives[where.alternatives - 1].wait if where is not None and template is not None else 0.0


def open_next(emit: Emitter, group: Group) -> None:
    """The next alternative comes in, and those behind it that follow without a wait."""
    while group.whereabouts is not None and has_next(group):
        emit(AlternativesOpened(group.run_id, group.group_id, group.whereabouts.alternatives + 1, emit.now))
        if wait_of(group) and not _all_skipped(group):
            return


def note_place(emit: Emitter, group: Group, worker: Worker, allocation_id: str) -> None:
    """An allocation was opened: say where it is, if that matters to anybody, and by which alternative."""
    where = group.whereabouts
    if where is None:
        return
    devices = {one for some in emit.state.allocations[allocation_id].device_ids for one in some}
    template, alternative = where.asked.template, NONE
    if template is not None and template.alternatives:
        past = past_of(emit.state, emit.state.runs[group.run_id], where)
        offers = ((index, offer(template, where.asked.request, (index,), past)) for index in where.open_now)
        selectors = emit.state.selectors
        alternative = next((index for index, one in offers if satisfied(one, worker.view, [*devices], selectors)), NONE)
    models = {
        str(one.attributes[_MODEL]) for one in worker.view.devices if one.id in devices and _MODEL in one.attributes
    }
    emit(
        AllocationPlaced(
            group.run_id, group.group_id, allocation_id, worker.view.host, tuple(sorted(models)), alternative
        )
    )
