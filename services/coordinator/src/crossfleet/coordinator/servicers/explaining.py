"""Why each target of a run waits, clause by clause, what it is behind, and when it is expected to begin and end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from crossfleet.api.coordinator.v1 import run_service_pb2 as run_service
from crossfleet.api.types.v1 import run_pb2
from crossfleet.coordinator.convert.fleet import view_now
from crossfleet.coordinator.convert.prospects import queue_place, set_interval
from crossfleet.coordinator.core.alternatives import wait_of
from crossfleet.coordinator.core.contention import Pool, Rival, Situation, rival, rivals_of, waiting
from crossfleet.coordinator.core.forecast import Span
from crossfleet.coordinator.core.model import Group
from crossfleet.coordinator.core.outcomes import WorkerState
from crossfleet.coordinator.core.preemption import being_given_back, pool_for
from crossfleet.coordinator.core.quota import QUOTA
from crossfleet.coordinator.core.quota_outlook import Limit, limits_of, parties, within
from crossfleet.coordinator.core.replay import spans, work_of
from crossfleet.coordinator.core.sought import request_now
from crossfleet.coordinator.core.view import least_slots, useful_slots
from crossfleet.coordinator.core.whereabouts import past_of
from crossfleet.coordinator.prospects import Prospects
from crossfleet.matching.explain import explain, explain_clauses
from crossfleet.matching.model import WorkerView
from crossfleet.matching.template import offer


async def explain_run(run: run_pb2.Run, prospects: Prospects) -> run_service.ExplainRunResponse:
    """One explanation for each target. A target that is over has only its name."""
    situation = await prospects.situation()
    state = situation.state
    workers = [view_now(worker) for worker in state.workers.values() if worker.state is not WorkerState.LOST]
    answer = run_service.ExplainRunResponse()
    for status in run.targets:
        group = state.groups.get(status.group_id)
        reason = status.waiting_reason if group is None else group.waiting_text  # also of one that wants more slots
        message = answer.targets.add(target=status.name, all_workers=len(workers), waiting_reason=reason)
        if group is not None:
            given_back = being_given_back(state, group, situation.now)
            message.waiting_reason = "; ".join(filter(None, (reason, given_back)))
            _add_fit(message, group, situation, workers)
        if group is not None and waiting(state, group) and group.held_back in {"", QUOTA}:
            await _add_queue(message, group, situation)
    return answer


def _add_fit(
    message: run_service.TargetExplanation, group: Group, situation: Situation, workers: list[WorkerView]
) -> None:
    state = situation.state
    request = request_now(state, group)
    _add_alternatives(message, group, situation, workers)
    message.matching_workers = len(explain(request, workers, state.selectors).workers)
    found = explain_clauses(request, workers, state.selectors)
    for clause in found.clauses:
        message.clauses.add(
            clause=clause.text, passing=clause.passed, considered=clause.total, nearest_miss=clause.nearest
        )
    message.nearest_misses.extend(found.misses)


def _add_alternatives(
    message: run_service.TargetExplanation, group: Group, situation: Situation, workers: list[WorkerView]
) -> None:
    """Which of them count now, and when the next one does."""
    state, now = situation.state, situation.now
    where = group.whereabouts
    template = where.asked.template if where is not None else None
    if where is None or template is None:
        return
    past = past_of(state, state.runs[group.run_id], where)
    for index, one in enumerate(template.alternatives):
        request = offer(template, where.asked.request, (index,), past)
        shown = message.alternatives.add(number=index + 1, selector=one.selector)
        shown.matching_workers = len(explain(request, workers, state.selectors).workers)
        if index in where.open_now:
            taken = bool(where.held)
            shown.standing = run_service.ALTERNATIVE_STANDING_TAKEN if taken else run_service.ALTERNATIVE_STANDING_OPEN
        elif index < where.alternatives or where.held or index in where.skipped:
            shown.standing = run_service.ALTERNATIVE_STANDING_PASSED
        else:
            shown.standing = run_service.ALTERNATIVE_STANDING_LATER
        shown.cause = where.skipped.get(index, "")
        if index == where.alternatives and where.since and not where.held:
            shown.opens_in_seconds = max(where.since + wait_of(group) - now, 0.0)


async def _add_queue(message: run_service.TargetExplanation, group: Group, situation: Situation) -> None:
    """Where it stands, and when it begins and ends."""
    state, target, run = situation.state, group.target, situation.state.runs[group.run_id]
    own, request = rival(situation, group), request_now(state, group)
    fewest = max(least_slots(request) - own.held, 1)
    pool = pool_for(situation, request, run.priority, run.policy.priority_class, fewest)
    limits: list[Limit] = []
    if group.held_back:
        own = replace(own, wanted=min(useful_slots(state, group), pool.slots))
    if not own.held:
        others_of_project = parties(situation, own.project, group.group_id)
        least = least_slots(target.request)
        limits = limits_of(state, own.project, target.devices, least, group.run_id, others_of_project)
    others = [one for one in rivals_of(situation, pool) if one.group_id != own.group_id]
    if own.wanted and not own.held and not group.held_back:
        message.queue.CopyFrom(queue_place(pool, others, own.turn))
    # A long queue is replayed beside the loop: of the live state nothing is read any more.
    spanned = await asyncio.to_thread(_spans, pool, others, own, limits)
    if not own.held:
        set_interval(message.start_seconds, [one.start for one in spanned])
    if own.known or group.collected:
        set_interval(message.end_seconds, [one.end for one in spanned])


def _spans(pool: Pool, others: Sequence[Rival], own: Rival, limits: Sequence[Limit]) -> list[Span]:
    """When it begins and ends: not before its project's quota lets it."""
    work = work_of(own, pool)
    found = spans(pool, others, own.project, own.turn, work)
    return within(limits, own.project, own.turn, work, found)[0] if limits else found
