"""Groups for which a quota leaves too little are kept from schedulers until it is their turn.

Nothing here decides who gets what is left: schedulers do, among those of the project's groups for which it is enough. Who is
short waits in order of priority and age, and what it needs is kept from those behind it.
"""

from __future__ import annotations

from collections import Counter
from difflib import get_close_matches
from typing import NamedTuple

from crossfleet.coordinator.core.commands import TargetSpec
from crossfleet.coordinator.core.emitter import Emitter, Refused
from crossfleet.coordinator.core.model import Group, State
from crossfleet.coordinator.core.quota import (
    QUOTA,
    RUNS,
    SLOTS,
    GroupOverQuota,
    Quota,
    Takes,
    Tally,
    needs,
    slots_left,
)
from crossfleet.coordinator.core.view import least_slots
from crossfleet.matching.classes import UNKNOWN

# Texts change with every holder: those far behind say only that.
_TOLD = 10
_NAMED = 3


def check_known(state: State, project: str) -> None:
    """Raise Refused for a project without a quota."""
    if project not in state.quotas:
        near = get_close_matches(project, sorted(state.quotas), 1)
        mend = f"did you mean {near[0]!r}?" if near else "`crossfleet admin quota list` shows those that are set"
        raise Refused("PROJECT_NOT_FOUND", f"project {project!r} has no quota: {mend}", "project", project=project)


def let_go(emit: Emitter, project: str) -> None:
    """Offer all that was held back for a quota."""
    for group in in_line(emit.state, project):
        _let_go(emit, group)


def check_quota(state: State, project: str, target: TargetSpec, path: str, *, waits: bool) -> None:
    """Raise Refused for a target that needs more at once than its project's quota, unless it `waits` for a larger one."""
    quota = state.quotas.get(project)
    if quota is None or waits:
        return
    for name, amount, most in needs(quota, Tally(), target.devices, least_slots(target.request), ""):
        if amount > most:
            text = f"target {target.name} needs {_amount(amount, name)} at once, and the quota of project {project} is {most}"
            text += ": `crossfleet admin quota set` raises it"
            raise Refused("QUOTA_EXCEEDED", text, path, project=project, quota=name, limit=f"{most}")


def settle_quotas(emit: Emitter) -> bool:
    """Something was taken, given back, or is wanted: hold back for whom there is too little now, let go of others.

    Answers whether anything was let go.
    """
    before = len(emit.events)
    released = False
    for project, quota in emit.state.quotas.items():
        tally = emit.state.tallies.get(project)
        if tally is not None and not tally.settled:
            _settle(emit, quota, tally)
            released |= any(isinstance(one, GroupOverQuota) and not one.text for one in emit.events[before:])
            tally.settled = True
    return released


def in_line(state: State, project: str) -> list[Group]:
    """Groups of a project that are held back for its quota, in the order in which they get what is left."""
    tally = state.tallies.get(project, Tally())
    return [group for group in _in_order(state, tally) if group.held_back == QUOTA]


def holders(state: State, project: str) -> list[tuple[str, int, Counter[str]]]:
    """By group that holds something: slots, and devices by class, in the order of submission."""
    tally = state.tallies.get(project)
    found: dict[str, tuple[str, int, Counter[str]]] = {}
    for allocation in map(state.allocations.__getitem__, tally.allocations if tally else ()):
        group_id, slots, devices = found.get(allocation.group_id, (allocation.group_id, 0, Counter[str]()))
        count = len(allocation.held)
        for name, each in state.groups[group_id].target.devices:
            devices[name] += each * count
        found[group_id] = (group_id, slots + count, devices)
    return list(found.values())


def _settle(emit: Emitter, quota: Quota, tally: Tally) -> None:
    state, left, short = emit.state, tally.copy(), 0
    held: list[tuple[str, int, Counter[str]]] = []
    judged: dict[tuple[Takes, int, bool], _Judged] = {}
    for group in _in_order(state, tally):
        takes, fewest = group.target.devices, least_slots(group.target.request)
        alike = (takes, fewest, group.run_id in left.begun)
        found = judged.get(alike)
        if found is None:
            found = judged[alike] = _judge(quota, left, takes, fewest, group.run_id)
        if group.allocations or found.lacking is None:
            group.allowance = found.slots
            _let_go(emit, group)
            continue
        short += 1
        if short == 1:
            held = holders(state, quota.project)
        name, amount, most = found.lacking
        text = f"it needs {_amount(amount, name)}, and the quota of project {quota.project} is {most}"
        text += (
            f": {_where(state, tally, held, name, most - amount)}" if short <= _TOLD else ": others were there first"
        )
        if group.waiting_text != text or group.held_back != QUOTA:
            emit(GroupOverQuota(group.run_id, group.group_id, text))
        # Who is the first to be short of something keeps all that he needs: those behind him are short of it then, and need
        # keep nothing. Who waits for a place among the runs would take slots from those that have begun.
        if found.possible and name != RUNS and left.held(name) <= most:
            left.take(takes, fewest, group.run_id)
            judged.clear()


class _Judged(NamedTuple):
    """What is lacking for the fewest slots (what, how much, of how much), if anything; how many slots are left, and whether
    there ever could be enough."""

    lacking: tuple[str, int, int] | None
    slots: int
    possible: bool


def _judge(quota: Quota, left: Tally, takes: Takes, fewest: int, run_id: str) -> _Judged:
    wanted = list(needs(quota, left, takes, fewest, run_id))
    lacking = next((one for one in wanted if one[1] > one[2] - left.held(one[0])), None)
    return _Judged(lacking, slots_left(quota, left, takes, run_id), all(one[1] <= one[2] for one in wanted))


def _let_go(emit: Emitter, group: Group) -> None:
    if group.held_back == QUOTA:
        emit(GroupOverQuota(group.run_id, group.group_id, ""))


def _in_order(state: State, tally: Tally) -> list[Group]:
    """Groups that hold something, or that no other cause keeps from schedulers; the more urgent first, then the older."""
    found = [state.groups[group_id] for group_id in tally.groups]
    found = [one for one in found if one.held_back in {"", QUOTA}]
    return sorted(found, key=lambda one: -state.runs[one.run_id].priority)


def _amount(amount: int, name: str) -> str:
    if name in {SLOTS, RUNS}:
        return "a place among its runs" if name == RUNS else f"{amount} slot{'s' * (amount != 1)}"
    return f"{amount} {name}"


def _where(
    state: State, tally: Tally, held: list[tuple[str, int, Counter[str]]], name: str, most_for_others: int
) -> str:
    if name == RUNS:
        by = list(tally.begun)
    else:
        amounts: Counter[str] = Counter()
        for group_id, slots, devices in held:
            amounts[state.groups[group_id].run_id] += slots if name == SLOTS else devices[name] + devices[UNKNOWN]
        by = [f"{run_id} ({amount})" for run_id, amount in amounts.items() if amount]
    more = [f"{len(by) - _NAMED} more"] if len(by) > _NAMED else []
    where = f"held by {', '.join([*by[:_NAMED], *more])}" if by else "nobody holds any"
    return f"{where}; others were there first" if tally.held(name) <= most_for_others else where
