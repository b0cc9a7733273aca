"""What is to be expected of a run: of its cases by history, of its place among others by the present queue."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from crossfleet.api.types.v1 import run_pb2
from crossfleet.coordinator.convert.needs import definition
from crossfleet.coordinator.core.commands import SubmitRun, TargetSpec
from crossfleet.coordinator.core.contention import Foreseen, Situation, waiting
from crossfleet.coordinator.core.duration_model import DurationModel, Known
from crossfleet.coordinator.core.durations import Duration
from crossfleet.coordinator.core.inputs import may_stand, place_of
from crossfleet.coordinator.core.lognormal import LogNormal
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.overheads import PastGroup, overheads
from crossfleet.coordinator.core.usage import Usage, held_parts
from crossfleet.coordinator.core.workload import Workload, workload
from crossfleet.coordinator.estimates import Estimates
from crossfleet.coordinator.ledger.history import known_durations
from crossfleet.coordinator.ledger.observing import device_class, duration_key, kindred_keys
from crossfleet.coordinator.ledger.past_queries import past_cases, past_figures, past_targets
from crossfleet.coordinator.ledger.queries import Queries
from crossfleet.coordinator.ledger.rows import PastCases, PastTarget

# So many targets of earlier runs are looked through for the one that is most alike, and so many of those alike measured.
_LOOKED_THROUGH, _MEASURED = 100, 5
# So many suites of uncollected groups are looked up for one answer; more of them are taken for unseen.
_MOST_SUITES = 32
# Another run of the same target takes as long within about a third.
_LIKE_BEFORE = 0.3
_NOTHING = PastCases((), frozenset())


@dataclass(frozen=True, slots=True)
class Expected:
    """What a target's cases are expected to be: `load` None where none is known. `named`: the request did so itself.

    `like` names its suite, as rivals do. `unchanged`: `source` stands for it, should what it needs leave the same as then.
    """

    target: TargetSpec
    load: Workload | None
    named: bool
    source: PastTarget | None
    alike: bool
    like: str
    unchanged: bool = False


@dataclass(frozen=True, slots=True)
class Past:
    """Earlier targets of a suite: those `alike` had the same arguments and name, the newest first."""

    alike: Sequence[PastTarget] = field(default=())
    others: Sequence[PastTarget] = field(default=())

    @property
    def newest(self) -> PastTarget | None:
        """The one to go by."""
        return next(iter((*self.alike, *self.others)), None)


class Prospects:
    """Reads the ledger and the live state; changes nothing."""

    def __init__(
        self,
        queries: Queries,
        state: Callable[[], State],
        estimates: Estimates,
        usage: Usage | None,
        now: Callable[[], float],
    ) -> None:
        """`usage` tells shares of projects, `now` unix seconds."""
        self._queries = queries
        self._state = state
        self._now = now
        self._estimates = estimates
        self._usage = usage

    async def situation(self) -> Situation:
        """The fleet as it is once all has been looked up."""
        uncollected = await self._uncollected()
        state, usage = self._state(), self._usage
        held = held_parts(state)

        def shares(project: str) -> float:
            return usage.share(project, held.get(project, {})) if usage else 0.0

        return Situation(state, shares, uncollected, self._now())

    async def expected(self, command: SubmitRun, spec: run_pb2.RunSpec) -> list[Expected]:
        """What to expect of the cases of each target of a run."""
        given = await self._estimates.given(command.policy.durations_digest)
        known: dict[str, Known] = {"": {one: Duration(math.log(value), 0.0, 1.0) for one, value in given.items()}}
        suites = dict.fromkeys([(command.suite, command.runner), *(_suite(command, one) for one in command.targets)])
        looked = [await self._queries.ask(past_targets, command.project, *one, _LOOKED_THROUGH) for one in suites]
        found = list({one.group_id: one for some in looked for one in some}.values())
        asked = asked_before(found)
        answers = []
        for one in command.targets:
            past = sorted_out(found, asked, one.name, asked_of(spec, one.name))
            answers.append(self._judged(await self._target(command, one, past, known), command, spec))
        return answers

    async def _target(self, command: SubmitRun, target: TargetSpec, past: Past, known: dict[str, Known]) -> Expected:
        """`known` keeps histories that were read, by key; under the empty one lies what the client knows."""
        newest, suite = past.newest, (command.project, *_suite(command, target))
        like = "/".join(suite)
        cases = await self._queries.ask(past_cases, newest.group_id, newest.digest) if newest else _NOTHING
        ids = command.cases or cases.ids
        if not ids:
            return Expected(target, None, named=False, source=None, alike=False, like=like)
        figures = await self._figures((past.alike or past.others)[:_MEASURED])
        model = await self._model(suite, target, known)
        arguments = (model, ids, cases.skipped, overheads(figures), command.policy.grouping)
        load = await asyncio.to_thread(workload, *arguments)  # a large suite takes seconds
        return Expected(target, load, bool(command.cases), newest, alike=bool(past.alike), like=like)

    def _judged(self, one: Expected, command: SubmitRun, spec: run_pb2.RunSpec) -> Expected:
        """Whether the last run of a target may stand for it."""
        target, last = one.target, one.source
        if not target.compares or command.policy.unchanged_too or last is None or not one.alike:
            return one
        place = place_of(command.project, target.suite or command.suite, target.name, command.policy)
        stands = may_stand(self._state(), place, last.run_id)
        return replace(one, unchanged=stands and same_target(spec, run_pb2.RunSpec.FromString(last.spec), target.name))

    async def _figures(self, past: Iterable[PastTarget]) -> list[PastGroup]:
        """The newest last."""
        found = [await self._queries.ask(past_figures, one) for one in past]
        return [one for one in reversed(found) if one is not None]

    async def _model(self, suite: tuple[str, str, str], target: TargetSpec, known: dict[str, Known]) -> DurationModel:
        own = duration_key(*suite, device_class(target), target.build)
        kindred = kindred_keys(suite, target, self._state())
        for key in (own, *kindred):
            if key not in known:
                known[key] = await self._queries.ask(known_durations, key)
        arguments = {**known[""], **known[own]}, [known[key] for key in kindred]
        return await asyncio.to_thread(DurationModel, *arguments)

    async def _uncollected(self) -> dict[str, Foreseen]:
        """The work of groups whose cases are not known yet, by what the suite took before, on the same target where it was there."""
        state = self._state()
        groups: dict[tuple[str, str, str, str], list[str]] = {}
        for group in state.groups.values():
            if not group.collected and waiting(state, group):
                history = group.suite(state.runs[group.run_id])
                groups.setdefault((*history, group.target.name), []).append(group.group_id)
        found: dict[str, Foreseen] = {}
        for (*suite, target), group_ids in list(groups.items())[:_MOST_SUITES]:
            past = await self._queries.ask(past_targets, *suite, _MEASURED)
            like = next((one for one in past if one.target == target), next(iter(past), None))
            figures = await self._queries.ask(past_figures, like) if like else None
            if figures is not None and figures.slot_seconds > 0:
                work = LogNormal(math.log(figures.slot_seconds), _LIKE_BEFORE)
                found |= dict.fromkeys(group_ids, Foreseen(work, overheads([figures]).setup))
        return found


def _suite(command: SubmitRun, target: TargetSpec) -> tuple[str, str]:
    """Name and runner kind of what a target tests."""
    return target.suite or command.suite, target.request.runner or command.runner


def same_target(spec: run_pb2.RunSpec, past: run_pb2.RunSpec, name: str) -> bool:
    """Whether a target asks for the same as in an earlier run; of environments and cases nothing is said before a submission."""
    return _bare_definition(spec, name) == _bare_definition(past, name)


def _bare_definition(spec: run_pb2.RunSpec, name: str) -> str:
    bare = run_pb2.RunSpec(suite=spec.suite, policy=spec.policy)
    bare.suite.ClearField("cases")
    bare.targets.extend(one for one in spec.targets if one.name == name)
    bare.targets[0].ClearField("environment")
    return definition(bare.targets[0], bare)


Asked = tuple[object, ...]
"""What of a spec decides which cases a target has: name, runner and arguments of its suite, folder, part of the suite."""


def asked_of(spec: run_pb2.RunSpec, target: str) -> Asked:
    """What is asked of one target."""
    own = next((one.suite for one in spec.targets if one.name == target and one.HasField("suite")), spec.suite)
    shard = spec.policy.shard
    return own.name, own.runner, tuple(own.arguments), own.root, max(shard.index, 1), max(shard.count, 1)


def asked_before(found: Sequence[PastTarget]) -> dict[str, Asked]:
    """What was asked of earlier targets, by group."""
    specs = {one.run_id: run_pb2.RunSpec.FromString(one.spec) for one in found}
    return {one.group_id: asked_of(specs[one.run_id], one.target) for one in found}


def sorted_out(found: Sequence[PastTarget], asked: Mapping[str, Asked], target: str, own: Asked) -> Past:
    """Which earlier targets of the same suite are alike: those that were asked the same, and had the same name."""
    suite = [one for one in found if asked[one.group_id][:2] == own[:2]]
    alike = [one for one in suite if asked[one.group_id] == own and one.target == target]
    # Of another name, but asked the same: rather that than others.
    others = sorted((one for one in suite if one not in alike), key=lambda one: asked[one.group_id] != own)
    return Past(alike, others)
