"""How much work the cases of a target are, and how long the longest piece of it is that stays together."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from crossfleet.coordinator.core.dispatcher import SHORTEST_PIECE
from crossfleet.coordinator.core.duration_model import DurationModel
from crossfleet.coordinator.core.forecast import Work
from crossfleet.coordinator.core.grouping import Grouping
from crossfleet.coordinator.core.lognormal import LogNormal, total
from crossfleet.coordinator.core.overheads import Overheads
from crossfleet.coordinator.core.view import MOST_SLOTS, least_slots
from crossfleet.matching.model import Request


@dataclass(frozen=True, slots=True)
class Workload:
    """`seconds` of slots, with what is spent between cases. `unseen` cases were taken for `unseen_seconds` each."""

    cases: int
    unseen: int
    unseen_seconds: float
    skipped: int
    seconds: LogNormal
    longest: LogNormal
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
    unseen = [one for some in alike.values() for one in some]
    cases = total(apart, alike.values(), beside.common)
    overhead = beside.overhead * (len(apart) + len(unseen))
    largest = max(pieces.values(), key=lambda some: sum(one.mean for one in some), default=[])
    return Workload(
        len(ids),
        len(unseen),
        sum(one.mean for one in unseen) / len(unseen) if unseen else 0.0,
        idle,
        LogNormal.of(cases.mean + overhead, cases.deviation),
        largest[0] if len(largest) == 1 else total(largest),
        beside.setup,
    )


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


def work_at(load: Workload | None, request: Request, part: float) -> Work:
    """The work that it is in that part of all cases; none where nothing is known of it."""
    least = least_slots(request)
    if load is None:
        return Work(0.0, least, least)
    useful = min(math.ceil(load.seconds.mean / SHORTEST_PIECE), max(load.cases - load.skipped, 1))
    most = least if request.gang > 1 else min(request.slots_max or MOST_SLOTS, useful)
    return Work(
        load.seconds.quantile(part),
        least,
        max(most, least),
        longest=load.longest.quantile(part),
        setup=load.setup.quantile(part),
    )
