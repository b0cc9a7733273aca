"""When a project's quota lets a target begin: each limit is a pool of its own, of which the project's groups hold and want parts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from crossfleet.coordinator.core.contention import Pool, Rival, Situation, Turn, rival, waiting
from crossfleet.coordinator.core.forecast import NEVER, Span, Work
from crossfleet.coordinator.core.lognormal import LogNormal, total
from crossfleet.coordinator.core.model import Group, State
from crossfleet.coordinator.core.quota import QUOTA, RUNS, SLOTS, Takes, Tally, needs
from crossfleet.coordinator.core.quotas import in_words
from crossfleet.coordinator.core.replay import Drawn, spans
from crossfleet.coordinator.core.view import useful_slots
from crossfleet.matching.classes import UNKNOWN


@dataclass(frozen=True, slots=True)
class Party:
    """A group of the project: its run, and what each of its slots takes."""

    run_id: str
    takes: Takes
    rival: Rival


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit as a target meets it: in slots of that target, or in places among the runs. `text` says who has what of it."""

    name: str
    pool: Pool
    rivals: Sequence[Rival]
    text: str


def parties(situation: Situation, project: str, but: str = "") -> list[Party]:
    """The groups of a limited project that have work, without that of the id `but`."""
    if project not in situation.state.quotas:
        return []
    state = situation.state
    groups = [state.groups[group_id] for group_id in state.tallies.get(project, Tally()).groups if group_id != but]
    at_work = [one for one in groups if waiting(state, one)]
    return [Party(one.run_id, one.target.devices, _rival(situation, one)) for one in at_work]


def limits_of(
    state: State, project: str, takes: Takes, fewest: int, run_id: str, others: Sequence[Party]
) -> list[Limit]:
    """The limits of its project's quota that concern a target of a run, beside `others`. None without a quota."""
    quota = state.quotas.get(project)
    if quota is None:
        return []
    tally = state.tallies.get(project, Tally())
    found = []
    for name, amount, most in needs(quota, tally, takes, fewest, run_id):
        text = in_words(state, quota, (name, amount, most))
        if amount > most:  # it was lowered: what is held of it yet comes back to nobody
            found.append(Limit(name, Pool(0, {}, {}), (), text))
        elif name == RUNS:
            found.append(_places(most, tally, [one for one in others if one.run_id != run_id], text))
        else:
            found.append(_parts(state, tally, name, amount // fewest, most, others, text))
    return found


def within(
    limits: Sequence[Limit], project: str, turn: Turn, own: Drawn, spanned: Sequence[Span]
) -> tuple[list[Span], str]:
    """Spans no sooner than every limit allows, and what is waited for the longest; empty where no limit delays the start."""
    found, cause = list(spanned), ""
    if not all(one.slots for one in found):
        return found, cause  # it never begins, quota or not
    lasting = [Work(one.end - one.start) for one in found]
    for limit in limits:
        work = (lambda chance: lasting[chance.number]) if limit.name == RUNS else own
        theirs = spans(limit.pool, limit.rivals, project, turn, work, len(found))
        if median(one.start for one in theirs) > median(one.start for one in found):
            cause = limit.text
        found = [_later(one, other, limit) for one, other in zip(found, theirs, strict=True)]
    return found, cause


def _later(own: Span, theirs: Span, limit: Limit) -> Span:
    if not own.slots or not theirs.slots:
        return NEVER
    start = max(own.start, theirs.start)
    end = own.end + start - own.start
    if limit.name == RUNS:
        return Span(start, end, own.slots)
    return Span(start, max(end, theirs.end), min(own.slots, theirs.slots))


def _rival(situation: Situation, group: Group) -> Rival:
    """As others of its project meet it: what it wants is what it would take, were the quota no limit."""
    wanted = useful_slots(situation.state, group) if group.held_back in {"", QUOTA} else 0
    return replace(rival(situation, group), wanted=wanted)


def _each(takes: Takes, name: str) -> int:
    """How much of a thing that has a limit each slot takes."""
    found = dict(takes)
    return 1 if name == SLOTS else found.get(name, 0) + found.get(UNKNOWN, 0)


def _parts(state: State, tally: Tally, name: str, each: int, most: int, others: Sequence[Party], text: str) -> Limit:
    """A limit of slots or devices, in slots that take `each` of it."""
    held: Counter[str] = Counter()
    for allocation in map(state.allocations.__getitem__, tally.allocations):
        if not allocation.closing and not state.groups[allocation.group_id].over:
            held[allocation.group_id] += len(allocation.held) * _each(allocation.takes, name)
    parts = {group_id: math.ceil(amount / each) for group_id, amount in held.items() if amount}
    free = max(most - sum(held.values()), 0) // each  # what is being given back is free soon
    pool = Pool(free, parts, {})
    rivals = [_scaled(one.rival, _each(one.takes, name) / each) for one in others if _each(one.takes, name)]
    return Limit(name, pool, [replace(one, wanted=min(one.wanted, pool.slots)) for one in rivals], text)


def _scaled(one: Rival, factor: float) -> Rival:
    """The same in slots of another size."""
    if factor == 1:
        return one
    held, wanted, least = (math.ceil(amount * factor) for amount in (one.held, one.wanted, one.least))
    work = LogNormal(one.work.mu + math.log(factor), one.work.sigma)
    return replace(one, work=work, held=held, wanted=wanted, least=least)


def _places(most: int, tally: Tally, others: Sequence[Party], text: str) -> Limit:
    """The limit of runs that have begun: each gives its place back when all of its groups have ended."""
    runs: dict[str, list[Rival]] = {}
    for one in others:
        runs.setdefault(one.run_id, []).append(one.rival)
    begun = [one for one in tally.begun if one in runs]
    usual = sum(one.held for name in begun for one in runs[name]) / max(len(begun), 1)
    rivals = [_run(name, of_run, usual, begun=name in tally.begun) for name, of_run in runs.items()]
    return Limit(RUNS, Pool(max(most - len(begun), 0), dict.fromkeys(begun, 1), {}), rivals, text)


def _run(run_id: str, groups: Sequence[Rival], usual: float, *, begun: bool) -> Rival:
    """A run as others meet it that want a place: its seconds are those from its beginning to its end."""
    slots = sum(one.held for one in groups) or usual
    work = total(one.seconds for one in groups)
    executing = [case.about() for one in groups for case in one.underway]
    first = min(groups, key=lambda one: one.turn)
    return Rival(
        run_id,
        first.project,
        first.turn,
        LogNormal(work.mu - math.log(max(slots, 1.0)), work.sigma),
        all(one.known for one in groups),
        held=int(begun),
        wanted=int(not begun and any(one.wanted for one in groups)),
        least=1,
        longest=max(executing, key=lambda one: one.mu, default=None),
    )
