"""Groups of a run that need others of it: held back until these are over, skipped where one did not pass that must, or none changed.

One that is to be near others is held back until these have slots.
"""

from __future__ import annotations

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core import verdict
from crossfleet.coordinator.core.emitter import Emitter
from crossfleet.coordinator.core.inputs import settle_inputs
from crossfleet.coordinator.core.model import Group, Run, State
from crossfleet.coordinator.core.outcomes import GroupState, RunState, RunVerdict

NEEDS = "needs"
"""Why a group is held back."""


def settle_needs(emit: Emitter, run: Run) -> list[tuple[Group, str]]:
    """Hold back groups whose needs are not over, let go of others; answers those that are to be skipped, and why."""
    skipped: list[tuple[Group, str]] = []
    if run.state >= RunState.STOPPING:
        return skipped
    for group in needing(emit.state, run):
        unmet, failed = _judge(emit.state, run, group)
        why = failed or ("" if unmet else settle_inputs(emit, run, group))
        if why:
            skipped.append((group, why))
        elif unmet:
            text = ", ".join(unmet)
            if (group.held_back, group.waiting_text) != (NEEDS, text):
                emit(e.GroupHeldBack(group.run_id, group.group_id, NEEDS, text))
        elif group.held_back == NEEDS:
            emit(e.GroupHeldBack(group.run_id, group.group_id, "", ""))
    return skipped


def needing(state: State, run: Run) -> list[Group]:
    """Groups of a run that need others, are not over, and have not been begun."""
    groups = map(state.groups.__getitem__, run.groups)
    return [
        group
        for group in groups
        if (group.target.needs or _near(group)) and not group.over and not group.ever_allocated
    ]


def passed(run: Run, group: Group) -> bool:
    """Whether a group that is over counts as passed for those that need it: as a run of it alone would, or did with the same inputs."""
    return bool(group.unchanged_since) or (
        not group.skipped and verdict.conclude(run, (group,))[0] is RunVerdict.PASSED
    )


def _near(group: Group) -> tuple[str, ...]:
    return group.target.template.near if group.target.template is not None else ()


def _judge(state: State, run: Run, group: Group) -> tuple[list[str], str]:
    """What must come first; why it must be skipped, or an empty text."""
    unmet = []
    for need in group.target.needs:
        needed = state.groups[f"{run.run_id}/{need.target}"]
        if not needed.over:
            unmet.append(f"{need.target} must {'pass' if need.passed else 'end'} first")
        elif need.passed and not passed(run, needed):
            return [], f"skipped: it needs {need.target}, which {_ended(needed)}"
        elif need.changed and needed.allocations:
            unmet.append(f"{need.target} must hand over what it has left first")
    for name in _near(group):
        beside = state.groups[f"{run.run_id}/{name}"]
        if not beside.over and not beside.ever_allocated:
            unmet.append(f"{name} must have slots first")
    return unmet, ""


def _ended(group: Group) -> str:
    if group.skipped:
        return "was skipped"
    if group.infrastructure and group.state is GroupState.FAILED:
        return "could not be carried out"
    return "did not pass"
