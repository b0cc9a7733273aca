"""Semaphores are checked and removed; groups that are short of one are kept from schedulers until it is their turn.

Nothing here decides who gets what is free: schedulers do, among all that are not short. Who is short waits in order of
priority, and of age or deadline, and what it needs is kept from those behind it, so that small requests never starve a large
one. Of groups that ask for the same, no more are shown than could begin.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from difflib import get_close_matches

from crossfleet.coordinator.core import events as e
from crossfleet.coordinator.core.commands import TargetSpec
from crossfleet.coordinator.core.emitter import Emitter, Refused
from crossfleet.coordinator.core.model import Group, State
from crossfleet.coordinator.core.quoting import cut, quoted
from crossfleet.coordinator.core.semaphore import RemoveSemaphore, SemaphoreRemoved
from crossfleet.coordinator.core.view import Kind, begins, free_units, gang_slots, kind

SEMAPHORE = "semaphore"
"""Why a group is held back."""
# Texts change with every holder: those far behind say only that.
_TOLD = 10
_NAMED = 3


def remove_semaphore(emit: Emitter, command: RemoveSemaphore) -> None:
    """Remove one that no open run names."""
    semaphore = emit.state.semaphores.get(command.name)
    if semaphore is None:
        raise not_found(emit.state, command.name, "name")
    users = [emit.state.groups[group_id] for group_id in emit.state.sharing]
    named = next((group.run_id for group in users if command.name in dict(group.target.request.semaphores)), "")
    if named or semaphore.held:
        text = f"semaphore {command.name} is in use" + (f" by {named}" if named else "")
        raise Refused("STATE_CONFLICT", f"{text}: set it to 0, and remove it when its runs are over", "name")
    emit(SemaphoreRemoved(command.name))


def not_found(state: State, name: str, field: str) -> Refused:
    """What to say of a semaphore that does not exist."""
    near = get_close_matches(name, sorted(state.semaphores), 1)
    mend = f"did you mean {near[0]!r}?" if near else f"`crossfleet admin semaphore set {cut(name)} N` makes it"
    return Refused("SEMAPHORE_NOT_FOUND", f"no semaphore {quoted(name)}: {mend}", field, semaphore=name)


def check_semaphores(state: State, target: TargetSpec, path: str, *, waits: bool) -> None:
    """Raise Refused for a request of semaphores that do not exist, or of more than there is unless it `waits` for that."""
    for name, each in target.request.semaphores:
        semaphore = state.semaphores.get(name)
        if semaphore is None:
            raise not_found(state, name, path)
        needed = each * gang_slots(target.request)
        if needed > semaphore.capacity and not waits:
            text = f"it needs {needed} of semaphore {name} at once, and there is {semaphore.capacity}"
            raise Refused("TARGET_UNSATISFIABLE", f"target {target.name}: {text}", path, target=target.name)


def settle_semaphores(emit: Emitter) -> None:
    """Something was taken, given back, or is wanted: hold back who is short now, let go who no longer is."""
    state = emit.state
    if not state.sharing:
        return
    left = {name: free_units(state, name) for name in state.semaphores}
    shown: Counter[Kind] = Counter()
    held: dict[str, Counter[str]] = {}
    short = 0
    for group in _in_order(state):
        needed = {name: each * gang_slots(group.target.request) for name, each in group.target.request.semaphores}
        own = lacking = _lacking(left, needed)
        if not own:
            alike = kind(state, group)
            lacking = _lacking(left, {name: amount * (shown[alike] + 1) for name, amount in needed.items()})
            if begins(group) and not lacking:
                shown[alike] += 1
        if not lacking:
            if group.held_back:
                emit(e.GroupHeldBack(group.run_id, group.group_id, "", ""))
            continue
        short += 1
        if short == 1:
            held = _holders(state)
        text = f"it needs {needed[lacking]} of semaphore {lacking}"
        text += f", {_where(state, lacking, needed[lacking], held)}" if short <= _TOLD else ": others were there first"
        if (group.held_back, group.waiting_text) != (SEMAPHORE, text):
            emit(e.GroupHeldBack(group.run_id, group.group_id, SEMAPHORE, text))
        # Who is the first to be short of one keeps what he needs of all: those behind him are short of it then, and keep nothing.
        possible = all(amount <= state.semaphores[name].capacity for name, amount in needed.items() if name in left)
        if own and possible and left.get(own, 0) >= 0:
            for name, amount in needed.items():
                left[name] = left.get(name, 0) - amount


def _lacking(left: Mapping[str, int], needed: Mapping[str, int]) -> str:
    """The first semaphore of which there is too little; empty for none."""
    return next((name for name, amount in needed.items() if amount > left.get(name, 0)), "")


def in_line(state: State, name: str) -> list[Group]:
    """Groups that are held back for a semaphore, in the order in which they get it."""
    waiting = [group for group in _in_order(state) if group.held_back == SEMAPHORE]
    return [group for group in waiting if name in dict(group.target.request.semaphores)]


def _in_order(state: State) -> list[Group]:
    waiting = [group for group in map(state.groups.__getitem__, state.sharing) if _may_wait(group)]
    return sorted(waiting, key=lambda one: state.runs[one.run_id].turn)


def _may_wait(group: Group) -> bool:
    """Whether it has nothing yet and waits for no other cause of ours."""
    return not group.allocations and group.held_back in {"", SEMAPHORE}


def _holders(state: State) -> dict[str, Counter[str]]:
    """By semaphore, what each run holds of it."""
    held: dict[str, Counter[str]] = {}
    for allocation in state.allocations.values():
        for name, each in allocation.request.semaphores:
            held.setdefault(name, Counter())[allocation.run_id] += each * len(allocation.held)
    return held


def _where(state: State, name: str, needed: int, held: dict[str, Counter[str]]) -> str:
    capacity = state.semaphores[name].capacity if name in state.semaphores else 0
    by = [f"{run_id} ({amount})" for run_id, amount in held.get(name, Counter()).items()]
    more = [f"{len(by) - _NAMED} more"] if len(by) > _NAMED else []
    where = f"held by {', '.join([*by[:_NAMED], *more])}" if by else "nobody holds any"
    if needed <= capacity - sum(held.get(name, Counter()).values()):
        where += "; others were there first"
    return f"of {capacity} in all: {where}"
