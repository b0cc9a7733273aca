"""When a run would begin and end, if it were submitted now."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from statistics import median_low

from crossfleet.api.coordinator.v1 import run_service_pb2 as run_service
from crossfleet.coordinator.convert.fleet import view_now
from crossfleet.coordinator.convert.prospects import interval, queue_place, set_interval
from crossfleet.coordinator.convert.runs import set_time
from crossfleet.coordinator.convert.submission import submission
from crossfleet.coordinator.core.chance import Chance, draws
from crossfleet.coordinator.core.commands import TargetSpec
from crossfleet.coordinator.core.contention import UNSEEN, Pool, Rival, Situation, Turn, rivals_of
from crossfleet.coordinator.core.forecast import Span, Work
from crossfleet.coordinator.core.outcomes import WorkerState
from crossfleet.coordinator.core.preemption import pool_for
from crossfleet.coordinator.core.priority_class import PriorityClass
from crossfleet.coordinator.core.quota_outlook import Limit, Party, limits_of, parties, within
from crossfleet.coordinator.core.replay import spans
from crossfleet.coordinator.core.submitting import whole
from crossfleet.coordinator.core.view import least_slots
from crossfleet.coordinator.core.workload import Workload, work_at
from crossfleet.coordinator.lookup import Lookup
from crossfleet.coordinator.prospects import Expected, Prospects
from crossfleet.coordinator.servicers.choosing import Chosen, chosen
from crossfleet.matching.deadlines import counts_from
from crossfleet.matching.explain import explain
from crossfleet.matching.model import Request

# A run that is not submitted yet is younger than all others, unless its deadline says otherwise.
_RUN, _YOUNGEST = "run-to-come", math.inf


async def estimate_run(
    request: run_service.EstimateRunRequest, lookup: Lookup, prospects: Prospects
) -> run_service.EstimateRunResponse:
    """What to expect of each target and of the whole. Raises InvalidArgument, SelectorInvalid."""
    state = lookup.state()
    command = submission(_RUN, request.spec, _RUN, state.selectors, "", 0, state.priority_classes)
    command = replace(command, targets=tuple(whole(one, command.runner, state.selectors) for one in command.targets))
    found = await prospects.expected(command, request.spec)
    situation = await prospects.situation()
    since = counts_from(_YOUNGEST, command.policy.due(situation.now))
    turn = (-command.priority, situation.shares(command.project), since, "")
    waits, standing = not command.policy.fail_unsatisfiable, command.policy.priority_class
    ways = [await chosen(one, situation, command.project, turn, standing, waits=waits) for one in found]
    asked = _Asked(situation, command.project, turn, standing, ways)
    # A long queue is replayed beside the loop: of the live state nothing is read any more.
    soonest = await asyncio.to_thread(asked.spans, unchanged=True) if any(one.unchanged for one in found) else []
    spanned = await asyncio.to_thread(asked.spans)
    answer = run_service.EstimateRunResponse()
    for index, one in enumerate(spanned):
        answer.targets.append(asked.message(index, one, soonest[index] if soonest else ()))
    together = list(zip(*spanned, strict=True))
    set_interval(answer.start_seconds, [min(one.start for one in drawn) for drawn in together])
    if all(one.load is not None for one in found):
        set_interval(answer.end_seconds, _ends(together), _ends(zip(*soonest, strict=True)))
    return answer


def _ends(together: Iterable[Sequence[Span]]) -> list[float]:
    """The end of the last of all targets, in each draw."""
    return [max(one.end for one in drawn) for drawn in together]


class _Asked:
    """A run that is asked about, and the fleet as it is now."""

    def __init__(
        self,
        situation: Situation,
        project: str,
        turn: Turn,
        standing: PriorityClass | None,
        ways: Sequence[Chosen],
    ) -> None:
        """`standing` is the run's class."""
        found = [one.expected for one in ways]
        self._ways = ways
        self._state = situation.state
        self._project = project
        self._turn = turn
        self._found = found
        requests = [one.target.request for one in found]
        self._pools = [pool_for(situation, one, -turn[0], standing, least_slots(one)) for one in requests]
        self._rivals = [rivals_of(situation, pool) for pool in self._pools]
        self._draws = draws(max(map(len, self._rivals), default=0))
        self._limits = self._limits_of_all(parties(situation, project)) if project in situation.state.quotas else []
        self._quota_waits: dict[int, str] = {}

    def spans(self, *, unchanged: bool = False) -> list[list[Span]]:
        """When each target begins and ends: not before those that it needs have ended, nor before the project's quota lets it.

        `unchanged`: those for which an earlier run can stand are skipped, once those that they need have ended.
        """
        names = [one.target.name for one in self._found]
        known: dict[str, list[Span]] = {}

        def of(index: int) -> list[Span]:
            name = names[index]
            if name not in known:
                needed = [of(names.index(need.target)) for need in self._found[index].target.needs]
                if unchanged and self._found[index].unchanged:
                    own = [Span(0.0, 0.0, 0)] * self._draws
                else:
                    own = [_not_before(self._ways[index].delay, one) for one in self._alone(index, unchanged=unchanged)]
                known[name] = [_after(*each) for each in zip(own, *needed, strict=True)]
            return known[name]

        return [of(index) for index in range(len(names))]

    def _alone(self, index: int, *, unchanged: bool) -> list[Span]:
        """When a target would begin and end that needs no other one."""
        pool, rivals, work = self._pools[index], self._rivals[index], partial(self._work, index, unchanged=unchanged)
        found = spans(pool, rivals, self._project, self._turn, work, self._draws)
        if not self._limits:
            return found
        own, limits = partial(self._own, index), self._limits[index]
        found, self._quota_waits[index] = within(limits, self._project, _turn(self._turn, index), own, found)
        return found

    def message(self, index: int, spanned: Sequence[Span], soonest: Sequence[Span]) -> run_service.TargetEstimate:
        """What is told of a target; `soonest` is when it would begin and end with others, or itself, unchanged."""
        one, pool = self._found[index], self._pools[index]
        slots = median_low(each.slots for each in spanned)
        message = run_service.TargetEstimate(target=one.target.name, slots=slots)
        message.alternative = self._ways[index].number
        message.queue.CopyFrom(queue_place(pool, self._rivals[index], self._turn))
        begins = () if one.unchanged else soonest
        set_interval(message.start_seconds, [each.start for each in spanned], [each.start for each in begins])
        if one.load is not None:
            _add_load(message, one, one.load)
            set_interval(message.end_seconds, [each.end for each in spanned], [each.end for each in soonest])
        message.quota_wait = self._quota_waits.get(index, "")
        if not slots:
            message.waiting_reason = message.quota_wait or self._reason(one.target.request, pool)
        return message

    def _limits_of_all(self, others: Sequence[Party]) -> list[list[Limit]]:
        """By target, those of the project's quota, beside what it has already and the run's targets before this one."""
        targets = [one.target for one in self._found]
        mine, awaited = [self._party(index) for index in range(len(targets))], _awaited(targets)
        found = []
        for index, one in enumerate(targets):
            before = [mine[other] for other in range(index) if one.name not in awaited[targets[other].name]]
            fewest = least_slots(one.request)
            found.append(limits_of(self._state, self._project, one.devices, fewest, _RUN, [*others, *before]))
        return found

    def _party(self, index: int) -> Party:
        """A target of the run as the others meet it."""
        one = self._found[index]
        work = self._own(index, Chance(0, self._draws))
        turn = _turn(self._turn, index)
        load, known = one.load.seconds if one.load is not None else UNSEEN.work, one.load is not None
        rival = Rival(turn[-1], self._project, turn, load, known, 0, work.most, work.least, one.like)
        return Party(_RUN, one.target.devices, rival)

    def _own(self, index: int, chance: Chance) -> Work:
        """A target's own work in one draw."""
        one = self._found[index]
        return work_at(one.load, one.target.request, one.like, chance)

    def _work(self, index: int, chance: Chance, *, unchanged: bool) -> Work:
        """Its own work, and that of the run's other targets that could use the same workers: they proceed side by side."""
        own, pool = self._own(index, chance), self._pools[index]
        beside = [
            self._found[other]
            for other, theirs in enumerate(self._pools)
            if other != index
            and theirs.kinds.keys() & pool.kinds.keys()
            and not self._apart(index, other)
            and not (unchanged and self._found[other].unchanged)
        ]
        more = sum(one.load.seconds.quantile(chance.of(one.like)) for one in beside if one.load is not None)
        most = max(own.most, pool.slots) if more else own.most
        return replace(own, seconds=own.seconds + more, most=most)

    def _apart(self, index: int, other: int) -> bool:
        """Whether one of two targets waits for the other."""
        first, second = self._found[index].target, self._found[other].target
        needs = {need.target for need in first.needs}, {need.target for need in second.needs}
        return second.name in needs[0] or first.name in needs[1]

    def _reason(self, request: Request, pool: Pool) -> str:
        needed = least_slots(request)
        if 0 < pool.slots < needed:
            return f"it needs {needed} slots at once, and of this fleet it could use {pool.slots}"
        workers = [view_now(each) for each in self._state.workers.values() if each.state is not WorkerState.LOST]
        return explain(request, workers, self._state.selectors).text


def _awaited(targets: Sequence[TargetSpec]) -> dict[str, set[str]]:
    """By name, all targets that must be over before each of a run begins."""
    needed = {one.name: [need.target for need in one.needs] for one in targets}
    known: dict[str, set[str]] = {}

    def of(name: str) -> set[str]:
        if name not in known:
            known[name] = set(needed[name]).union(*map(of, needed[name]))
        return known[name]

    return {name: of(name) for name in needed}


def _turn(turn: Turn, index: int) -> Turn:
    """That of a target: those of one run come one after the other."""
    return (*turn[:3], f"{_RUN}/{index:03}")


def _after(own: Span, *needed: Span) -> Span:
    """The same, begun no sooner than others have ended."""
    return _not_before(max((one.end for one in needed), default=0.0), own)


def _not_before(seconds: float, own: Span) -> Span:
    late = seconds - own.start
    return replace(own, start=own.start + late, end=own.end + late) if late > 0 else own


def _add_load(message: run_service.TargetEstimate, one: Expected, load: Workload) -> None:
    message.cases, message.unseen_cases, message.skipped_cases = load.cases, load.unseen, load.skipped
    message.unseen_seconds = load.unseen_seconds
    message.work_seconds.CopyFrom(interval(load.seconds))
    message.setup_seconds.CopyFrom(interval(load.setup))
    if one.named:
        message.source = run_service.CASE_SOURCE_NAMED
    elif one.source is not None:
        message.source = run_service.CASE_SOURCE_LAST_RUN if one.alike else run_service.CASE_SOURCE_OTHER_RUN
        message.source_run_id = one.source.run_id
        set_time(message.source_finished_at, one.source.finished_at)
