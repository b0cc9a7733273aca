"""Groups for which a quota leaves too little are kept from schedulers until it is their turn.

Nothing here decides who gets what is left: schedulers do, among those of the project's groups for which it is enough. Who is
short waits in order of priority, and of age or deadline, and what it needs is kept from those behind it. Of groups that ask for
the same, no more are shown than could begin: which of a thousand it is makes no difference, and each that is shown in vain is
two facts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
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
from crossfleet.coordinator.core.quoting import quoted
from crossfleet.coordinator.core.view import Kind, begins, kind, least_slots
from crossfleet.matching.classes import UNKNOWN

Lack = tuple[str, int, int]
"""What is lacking, how much of it is needed, and its limit."""

# Texts change with every holder: those far behind say only that.
_TOLD = 10
_NAMED = 3


def check_known(state: State, project: str) -> None:
    """Raise Refused for a project without a quota."""
    if project not in state.quotas:
        near = get_close_matches(project, sorted(state.quotas), 1)
        mend = f"did you mean {near[0]!r}?" if near else "`crossfleet admin quota list` shows those that are set"
        raise Refused(
            "PROJECT_NOT_FOUND", f"project {quoted(project)} has no quota: {mend}", "project", project=project
        )


def let_go(emit: Emitter, project: str) -> None:
    """Offer all that was held back for a quota."""
    for group in in_line(emit.state, project):
        _let_go(emit, group)


def check_quota(state: State, project: str, target: TargetSpec, path: str, *, waits: bool) -> None:
    """Raise Refused for a target that needs more at once than its project's quota, unless it `waits` for a larger one."""
    quota = state.quotas.get(project)
    if quota is None or waits:
        return
    fewest = least_slots(target.request)
    found = [_exceeds(quota, takes, fewest) for takes in target.ways or (target.devices,)]
    if all(found) and found[-1] is not None:
        name, amount, most = found[-1]
        text = (
            f"target {target.name} needs {_amount(amount, name)} at once, and the quota of project {project} is {most}"
        )
        text += ": `crossfleet admin quota set` raises it"
        raise Refused("QUOTA_EXCEEDED", text, path, project=project, quota=name, limit=f"{most}")


def never_allowed(quota: Quota | None, target: TargetSpec) -> dict[int, str]:
    """The alternatives of a target, by index, whose devices are more than its project may ever hold, and that in words.

    None where that is true of all of them: then nothing is gained by going on to the next.
    """
    if quota is None:
        return {}
    found = {index: _exceeds(quota, takes, least_slots(target.request)) for index, takes in enumerate(target.ways)}
    over = {index: one for index, one in found.items() if one is not None and one[0] not in {SLOTS, RUNS}}
    if len(over) == len(found):
        return {}
    return {
        index: f"it needs {_amount(amount, name)} at once, and the quota of project {quota.project} is {most}"
        for index, (name, amount, most) in over.items()
    }


def _exceeds(quota: Quota, takes: Takes, fewest: int) -> Lack | None:
    """Of what so few slots need more than the project may ever hold, if of anything."""
    return next((one for one in needs(quota, Tally(), takes, fewest, "") if one[1] > one[2]), None)


def in_words(state: State, quota: Quota, lacking: Lack) -> str:
    """What is needed of a limit, and who has it."""
    tally = state.tallies.get(quota.project, Tally())
    return _needs_more(state, quota, tally, holders(state, quota.project), lacking)


def settle_quotas(emit: Emitter) -> bool:
    """Something was taken, given back, or is wanted: hold back for whom there is too little now, let go of others.

    Answers whether that concerns anybody who asks for semaphores.
    """
    before = len(emit.events)
    for project, quota in emit.state.quotas.items():
        tally = emit.state.tallies.get(project)
        if tally is not None and not tally.settled:
            _settle(emit, quota, tally)
            tally.settled = True
    changed = (one for one in emit.events[before:] if isinstance(one, GroupOverQuota))
    return any(one.group_id in emit.state.sharing for one in changed)


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
        for name, each in allocation.takes:
            devices[name] += each * count
        found[group_id] = (group_id, slots + count, devices)
    return list(found.values())


def _settle(emit: Emitter, quota: Quota, tally: Tally) -> None:
    state, left, short = emit.state, tally.copy(), 0
    held: list[tuple[str, int, Counter[str]]] = []
    judged: dict[tuple[Takes, int, bool], _Judged] = {}
    shown: dict[Kind, _Shown] = {}
    groups = _in_order(state, tally)
    scarce = not _suffices(quota, tally, groups)
    for group in groups:
        takes, fewest = group.target.devices, least_slots(group.target.request)
        alike = (takes, fewest, group.run_id in left.begun)
        found = judged.get(alike)
        if found is None:
            found = judged[alike] = _judge(quota, left, takes, fewest, group.run_id)
        lacking = found.lacking
        if lacking is None and scarce and begins(group):
            lacking = shown.setdefault(kind(state, group), _Shown()).take(quota, left, takes, fewest, group.run_id)
        if group.allocations or lacking is None:
            group.allowance = found.slots
            _let_go(emit, group)
            continue
        short += 1
        if short == 1:
            held = holders(state, quota.project)
        text = f"the quota of project {quota.project} leaves nothing for it yet: others were there first"
        if short <= _TOLD:
            text = _needs_more(state, quota, tally, held, lacking)
        if group.waiting_text != text or group.held_back != QUOTA:
            emit(GroupOverQuota(group.run_id, group.group_id, text))
        # Who is the first to be short of something keeps all that he needs: those behind him are short of it then, and need
        # keep nothing. Who waits for a place among the runs would take slots from those that have begun.
        name, _, most = lacking
        if found.lacking is not None and found.possible and name != RUNS and left.held(name) <= most:
            left.take(takes, fewest, group.run_id)
            judged.clear()


def _suffices(quota: Quota, tally: Tally, groups: list[Group]) -> bool:
    """Whether all groups could begin together."""
    together = tally.copy()
    fewest = Counter((one.target.devices, least_slots(one.target.request)) for one in groups if begins(one))
    for (takes, slots), number in fewest.items():
        together.take(takes, slots * number, groups[0].run_id)
    if quota.runs is not None:
        together.begun.update(dict.fromkeys(one.run_id for one in groups))
    limits = ((SLOTS, quota.slots), (RUNS, quota.runs), *quota.devices)
    return all(most is None or together.held(name) <= most for name, most in limits)


@dataclass(slots=True)
class _Shown:
    """What groups of one kind need, which schedulers are shown together. `full`: of what there is no more for one of them."""

    slots: int = 0
    runs: set[str] = field(default_factory=set)
    full: Lack | None = None

    def take(self, quota: Quota, left: Tally, takes: Takes, fewest: int, run_id: str) -> Lack | None:
        """Show one more; or what is lacking if all that are shown begin."""
        if self.full is not None:
            return self.full
        for name, amount, most in needs(quota, left, takes, fewest, run_id):
            wanted = (
                len(self.runs) + (run_id not in self.runs) if name == RUNS else amount + amount // fewest * self.slots
            )
            if wanted > most - left.held(name):
                if name != RUNS:  # another target of a run that is shown needs no place
                    self.full = name, amount, most
                return name, amount, most
        self.slots += fewest
        self.runs.add(run_id)
        return None


class _Judged(NamedTuple):
    """What is lacking for the fewest slots, if anything; how many slots are left, and whether there ever could be enough."""

    lacking: Lack | None
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
    """Groups that hold something, or that no other cause keeps from schedulers; the more urgent first, then who is older or due sooner."""
    found = [state.groups[group_id] for group_id in tally.groups]
    found = [one for one in found if one.held_back in {"", QUOTA}]
    return sorted(found, key=lambda one: state.runs[one.run_id].turn)


def _needs_more(
    state: State, quota: Quota, tally: Tally, held: list[tuple[str, int, Counter[str]]], lacking: Lack
) -> str:
    name, amount, most = lacking
    needed = f"it needs {_amount(amount, name)}, and the quota of project {quota.project} is {most}"
    return f"{needed}: {_where(state, tally, held, name, most - amount)}"


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
