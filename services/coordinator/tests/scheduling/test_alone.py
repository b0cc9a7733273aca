"""A scheduler for which nobody stands in, and whose plans come to nothing: whoever waits is told that it is so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crossfleet.api.coordinator.v1 import run_service_pb2 as run_service
from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.api.types.v1 import run_pb2, suite_pb2
from crossfleet.coordinator.core.answers import Refusal
from crossfleet.coordinator.core.commands import ApplyPlan, WaitingReason
from crossfleet.coordinator.scheduling import alone, unsaid
from crossfleet.coordinator.scheduling.figures import SchedulerFigures
from crossfleet.foundation.clock import SystemClock
from crossfleet.foundation.draining import Draining
from crossfleet.foundation.wait import eventually
from services.coordinator.tests.core.fleet import Fleet
from services.coordinator.tests.running import GreedyScheduler, Running, ScriptedWorker, noop, running

Plan = scheduler_pb2.ScheduleResponse


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alone, "_LOOK_SECONDS", 0.05)


@dataclass
class Odd(GreedyScheduler):
    """Greedy, but that each proposal is changed by `wrong` while there is one."""

    wrong: Callable[[scheduler_pb2.ProposedAllocation], None] | None = None

    async def Schedule(self, requests: Any, context: Any) -> AsyncIterator[Plan]:
        async for plan in super().Schedule(requests, context):
            if (wrong := self.wrong) is not None:
                for one in plan.allocate:
                    wrong(one)
            yield plan


def for_unknown_groups(one: scheduler_pb2.ProposedAllocation) -> None:
    one.group_id = "g" * 5_000


def for_dead_workers(one: scheduler_pb2.ProposedAllocation) -> None:
    one.worker_id = "long-gone"


def for_more_than_there_is(one: scheduler_pb2.ProposedAllocation) -> None:
    one.slots *= 100


async def explained(fleet: Running, run_id: str) -> str:
    """What `explain` says of it; the run itself says the same."""
    answer = await fleet.runs.ExplainRun(run_service.ExplainRunRequest(run_id=run_id))
    text = answer.targets[0].waiting_reason
    assert (await fleet.run(run_id)).targets[0].waiting_reason == text
    return text


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (for_unknown_groups, "GROUP_NOT_OPEN: group gggg"),
        (for_dead_workers, "WORKER_NOT_FOUND: no worker long-gone"),
        (for_more_than_there_is, "RESOURCES_UNAVAILABLE: "),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
async def test_who_waits_hears_that_plans_are_refused_and_why_until_they_hold(
    tmp_path: Path, wrong: Callable[[scheduler_pb2.ProposedAllocation], None], why: str
) -> None:
    scheduler = Odd(wrong=wrong)
    async with running(tmp_path, scheduler=scheduler) as fleet:
        worker = ScriptedWorker(fleet.channel)
        await worker.welcomed()
        run_id = (await fleet.submit(noop(1))).run.run_id

        async def told() -> str:
            return await explained(fleet, run_id)

        text = await eventually(told, what="a reason")
        told_again = (await fleet.submit(noop(1), "again")).run.run_id

        async def the_same() -> bool:
            return await explained(fleet, told_again) == text

        await eventually(the_same, what="a reason of the second run")
        scheduler.wrong = None
        for _ in range(2):
            await worker.execute((await worker.next("assign")).assign)
        await fleet.until(run_id, run_pb2.RUN_STATE_FINISHED)

    assert text.startswith(f"scheduler greedy answers, but its plans are refused: {why}")
    assert " of the last " in text
    assert len(text) < 500


async def test_what_the_scheduler_says_of_groups_for_which_it_proposes_in_vain_is_not_told(tmp_path: Path) -> None:
    class Telling(Odd):
        def _place(self, plan: Plan, group: scheduler_pb2.TaskGroup) -> None:
            if not group.priority:
                super()._place(plan, group)
            plan.waiting.add(group_id=group.group_id, code="mine", text=f"because of {plan.plan_id}")

    scheduler = Telling(wrong=for_dead_workers)
    async with running(tmp_path, scheduler=scheduler) as fleet:
        await ScriptedWorker(fleet.channel).welcomed()
        vain = await fleet.submit(noop(1), "vain")
        other = (await fleet.submit(noop(1, policy=suite_pb2.Policy(priority=1)), "other")).run.run_id

        async def told() -> str:
            text = await explained(fleet, vain.run.run_id)
            return text if "its plans are refused" in text else ""

        text = await eventually(told, what="that its plans are refused")
        figures = fleet.coordinator.schedulers.figures
        before = figures.refused
        await eventually(lambda: figures.refused > before + 10, what="more refusals")
        assert "because of p" in await explained(fleet, other)
        await fleet.runs.CancelRun(run_service.CancelRunRequest(run_id=vain.run.run_id))
        events = await fleet.watch(vain.event_cursor, vain.run.run_id, until_finished=True)

    reasons = [one.target_waiting.reason for one in events if one.HasField("target_waiting")]
    assert reasons[reasons.index(text) :] == [text]


async def test_what_the_scheduler_has_said_is_told_again_once_its_plans_hold() -> None:
    fleet = Fleet()
    for run_id in ("before", "meanwhile", "never"):
        fleet.submit(run_id)
    fleet.do(ApplyPlan("", waiting=(WaitingReason("before/default", False, "busy", "it said so before"),)))

    async def commit(command: Any) -> Any:
        return fleet.do(command)

    conduct = alone.Alone(SchedulerFigures(name="mine"), lambda: fleet.state, commit, SystemClock(), None)
    plan, others = Plan(), Plan()
    for run_id in ("before", "meanwhile"):
        plan.allocate.add(group_id=f"{run_id}/default")
    watching = asyncio.ensure_future(conduct.watch())

    def texts() -> list[str]:
        return [group.waiting_text for group in fleet.state.groups.values()]

    for _ in range(2):
        conduct.judged(plan, 0, [Refusal(index, "WORKER_NOT_FOUND", "no worker w9") for index in (0, 1)], frozenset())
    said = WaitingReason("meanwhile/default", False, "busy", "it says so meanwhile")
    impossible = WaitingReason("before/default", True, "never", "it says that it cannot be")
    assert conduct.reasons((said, impossible)) == (impossible,)
    await eventually(lambda: all(texts()), what="reasons")
    vain = texts()
    conduct.judged(others, 20, (), frozenset())
    await eventually(lambda: texts() != vain, what="other reasons")
    watching.cancel()

    why = "scheduler mine answers, but its plans are refused: WORKER_NOT_FOUND: no worker w9 (4 of the last 4)"
    assert vain == [why] * 3
    assert texts() == ["it said so before", "it says so meanwhile", "scheduler mine has given no other reason yet"]


async def test_who_was_told_that_the_scheduler_is_away_hears_that_it_is_back(tmp_path: Path) -> None:
    scheduler = GreedyScheduler(idle=True)
    async with running(tmp_path, scheduler=scheduler, unconnected_notice_seconds=0.0) as fleet:
        await eventually(lambda: fleet.coordinator.schedulers.figures.connected, what="the scheduler")
        run_id = (await fleet.submit(noop(1))).run.run_id
        scheduler.draining.begin("for a test")

        async def other_than(text: str) -> str:
            found = await explained(fleet, run_id)
            return found if found != text else ""

        away = await eventually(lambda: other_than(""), what="that it is away")
        scheduler.draining = Draining()
        back = await eventually(lambda: other_than(away), what="that it is back")

    assert away == "the scheduler is not connected"
    assert back == "scheduler greedy has given no other reason yet"


@dataclass
class Mute(GreedyScheduler):
    """Answers each update: with nothing, then with what it is to `say` of each group, then as the greedy one."""

    say: str = ""
    mute: bool = True

    async def Schedule(self, requests: Any, context: Any) -> AsyncIterator[Plan]:
        async for update in self.draining.until(requests):
            self._learn(update)
            plan = Plan(plan_id=f"p{update.revision}", base_revision=update.revision)
            for group in self._groups.values():
                self._place(plan, group)
            yield plan

    def _place(self, plan: Plan, group: scheduler_pb2.TaskGroup) -> None:
        if not self.mute:
            super()._place(plan, group)
        elif self.say:
            plan.waiting.add(group_id=group.group_id, code="mine", text=self.say)


@pytest.mark.parametrize("snapshots_only", [False, True])
async def test_who_waits_hears_that_the_scheduler_answers_with_nothing_until_it_says_or_gives_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, snapshots_only: bool
) -> None:
    monkeypatch.setattr(unsaid, "ANSWERED_SECONDS", 0.1)
    scheduler = Mute(snapshots_only=snapshots_only)
    async with running(tmp_path, scheduler=scheduler) as fleet:
        worker = ScriptedWorker(fleet.channel)
        await worker.welcomed()
        submitted = await fleet.submit(noop(1))
        run_id = submitted.run.run_id

        async def told(after: str = "") -> str:
            text = await explained(fleet, run_id)
            return text if text != after else ""

        silent = await eventually(told, what="that nothing is said of it")
        scheduler.say = "the moon is full"
        fleet.coordinator.schedulers.fallback.teller.repeat()
        said = await eventually(lambda: told(silent), what="its own reason")
        scheduler.mute = False
        fleet.coordinator.schedulers.fallback.teller.repeat()
        await worker.execute((await worker.next("assign")).assign)
        await fleet.until(run_id, run_pb2.RUN_STATE_FINISHED)
        events = await fleet.watch(submitted.event_cursor, run_id, until_finished=True)

    assert silent == "scheduler greedy answers, but proposes nothing and says no reason"
    assert said == "the moon is full"
    assert [one.target_waiting.reason for one in events if one.HasField("target_waiting")] == [silent, said]


def test_a_word_is_due_of_whom_a_scheduler_was_told_once_it_has_answered_and_later_where_it_has_not() -> None:
    found = unsaid.Unsaid()
    update = scheduler_pb2.ScheduleRequest(revision=1)
    update.snapshot.groups.add(group_id="silent", wanted_slots=1)
    update.snapshot.groups.add(group_id="explained", wanted_slots=1)
    update.snapshot.groups.add(group_id="served", wanted_slots=0)
    found.told(update, 0.0)
    assert found.overdue(9.0) == {}
    assert found.overdue(10.0) == {"silent": False, "explained": False}

    plan = Plan(base_revision=1)
    plan.waiting.add(group_id="explained")
    found.heard(plan, 10.0)
    later = scheduler_pb2.ScheduleRequest(revision=2)
    later.delta.groups.add(group_id="new", wanted_slots=1)
    found.told(later, 10.0)
    assert found.overdue(13.0) == {"silent": True}

    proposal = Plan(base_revision=2)
    proposal.allocate.add(group_id="silent")
    found.heard(proposal, 13.0)
    assert found.overdue(14.0) == {"new": True}
    assert found.overdue(15.0) == {"silent": True, "new": True}
    gone = scheduler_pb2.ScheduleRequest(revision=3)
    gone.delta.removed_group_ids.append("silent")
    gone.delta.groups.add(group_id="new", wanted_slots=0)
    found.told(gone, 15.0)
    assert not found
