"""How much work the cases of a target are, and how long the longest piece of it is that stays together."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from crossfleet.coordinator.core.chance import Chance
from crossfleet.coordinator.core.dispatcher import SHORTEST_PIECE
from crossfleet.coordinator.core.duration_model import DurationModel
from crossfleet.coordinator.core.forecast import Work
from crossfleet.coordinator.core.grouping import Grouping
from crossfleet.coordinator.core.lognormal import LogNormal, longest_of, several, total
from crossfleet.coordinator.core.overheads import Overheads
from crossfleet.coordinator.core.view import MOST_SLOTS, least_slots
from crossfleet.matching.model import Request

# Half of the variance of unseen cases is that of their function or file.
_AMONG, _MOST_AMONG = 0.7, 1.2


@dataclass(frozen=True, slots=True)
class Workload:
    """`seconds` of slots, with what is spent between cases. `unseen` cases were taken for `unseen_seconds` each.

    `longest_first`: how long the `longest` takes is known, and so it goes first.
    """

    cases: int
    unseen: int
    unseen_seconds: float
    skipped: int
    seconds: LogNormal
    longest: LogNormal
    longest_first: bool
    setup: LogNormal


def workload(
    model: DurationModel, ids: Sequence[str], skipped: Collection[str], beside: Overheads, grouping: Grouping
) -> Workload:
    """What to expect of cases; `skipped` are those that skipped themselves when they were last met, and were never measured."""
    apart: list[LogNormal] = []
    alike: dict[str, list[LogNormal]] = {}
    pieces: dict[str, list[LogNormal]] = {}
    idle = 0
    for case_id in ids:
        seen = model.knows(case_id)
        if not seen and case_id in skipped:
            idle += 1
            continue
        expected = model.expect(case_id)
        if seen:
            apart.append(expected)
        else:
            alike.setdefault(model.like(case_id), []).append(expected)
        pieces.setdefault(_piece(case_id, grouping), []).append(expected)
    unseen = sum(map(len, alike.values()))
    guessed = [several(some[0], len(some), _within(some[0])) for some in alike.values()]
    cases = total(apart, ([one] for one in guessed), beside.common)
    overhead = beside.overhead * (len(apart) + unseen)
    return Workload(
        len(ids),
        unseen,
        sum(one.mean for one in guessed) / unseen if unseen else 0.0,
        idle,
        LogNormal.of(cases.mean + overhead, cases.deviation),
        *_longest(pieces, alike, whole=grouping is not Grouping.NONE),
        beside.setup,
    )


def _longest(
    pieces: Mapping[str, Sequence[LogNormal]], alike: Mapping[str, Sequence[LogNormal]], *, whole: bool
) -> tuple[LogNormal, bool]:
    """The longest piece, and whether it goes first. `whole`: pieces are of several cases."""
    largest = max(pieces.values(), key=lambda some: sum(one.mean for one in some), default=())
    found = largest[0] if len(largest) == 1 else total(largest)
    guessed = [] if whole else [longest_of(some[0], len(some), _within(some[0])) for some in alike.values()]
    longer = max(guessed, key=lambda one: one.mu, default=found)
    return (longer, False) if longer.mu > found.mu else (found, True)


def _within(one: LogNormal) -> float:
    """How much cases of which the same is expected differ among themselves: so far as they do not err all alike."""
    return min(one.sigma * _AMONG, _MOST_AMONG)


def _piece(case_id: str, grouping: Grouping) -> str:
    """What of a target one slot has to execute alone."""
    match grouping:
        case Grouping.FILE:
            return case_id.partition("::")[0]
        case Grouping.SCOPE:
            return case_id.rpartition("::")[0]
        case Grouping.SUITE:
            return ""
        case _:
            return case_id


def work_at(load: Workload | None, request: Request, like: str, chance: Chance) -> Work:
    """The work that it is in one draw; none where nothing is known of it. `like`: its suite."""
    least = least_slots(request)
    if load is None:
        return Work(0.0, least, least)
    useful = min(math.ceil(load.seconds.mean / SHORTEST_PIECE), max(load.cases - load.skipped, 1))
    most = least if request.gang > 1 else min(request.slots_max or MOST_SLOTS, useful)
    part = chance.of(like)
    return Work(
        load.seconds.quantile(part),
        least,
        max(most, least),
        longest=load.longest.quantile(part),
        turn=0.0 if load.longest_first else chance.of(f"{like} turn"),
        setup=load.setup.quantile(chance.of(f"{like} setup")),
    )
