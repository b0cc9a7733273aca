"""By which of its alternatives a target that is not submitted yet would begin, and when that one comes in."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from functools import partial
from statistics import median

from crossfleet.coordinator.core.contention import Situation, Turn, rivals_of
from crossfleet.coordinator.core.preemption import pool_for
from crossfleet.coordinator.core.priority_class import PriorityClass
from crossfleet.coordinator.core.quotas import never_allowed
from crossfleet.coordinator.core.replay import spans
from crossfleet.coordinator.core.stopping import SETTLE_SECONDS
from crossfleet.coordinator.core.view import least_slots
from crossfleet.coordinator.core.whereabouts import devices_of
from crossfleet.coordinator.core.workload import work_at
from crossfleet.coordinator.prospects import Expected
from crossfleet.matching.template import Past, offer, opened


@dataclass(frozen=True, slots=True)
class Chosen:
    """A target that asks for what it would begin by: the alternative of that number (0: it has none), which comes in after `delay` seconds."""

    expected: Expected
    number: int = 0
    delay: float = 0.0


async def chosen(
    one: Expected, situation: Situation, project: str, turn: Turn, standing: PriorityClass | None, *, waits: bool
) -> Chosen:
    """The one by which it begins first. `standing` is its run's class. `waits`: also one that no worker satisfies is waited for."""
    template = one.target.template
    if template is None or not template.alternatives:
        return Chosen(one)
    best, soonest, delay = Chosen(one, 1), float("inf"), 0.0
    skipped = never_allowed(situation.state.quotas.get(project), one.target)
    for number, alternative in enumerate(template.alternatives, 1):
        if number - 1 in skipped:
            continue
        open_now = opened(template, number, skipped)
        request = offer(template, one.target.request, open_now, Past())
        pool = pool_for(situation, request, -turn[0], standing, least_slots(request))
        patience = alternative.wait
        devices = devices_of(one.target, open_now)
        tried = replace(one, target=replace(one.target, selector=request.selector, request=request, devices=devices))
        if pool.slots >= least_slots(request):
            work, rivals = partial(work_at, one.load, request, one.like), rivals_of(situation, pool)
            start = median(one.start for one in await asyncio.to_thread(spans, pool, rivals, project, turn, work))
            if max(start, delay) < soonest:
                best, soonest = Chosen(tried, number, delay), max(start, delay)
            if start <= delay + patience:
                break
        elif not waits:
            patience = SETTLE_SECONDS
        delay += patience
    return best
