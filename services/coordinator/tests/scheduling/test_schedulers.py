"""Several schedulers at once: who decides for what, who stands in, and how each comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from crossfleet.api.coordinator.v1 import admin_service_pb2 as admin_pb2
from crossfleet.api.coordinator.v1 import event_service_pb2 as event_pb2
from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.api.types.v1 import run_pb2, suite_pb2
from crossfleet.coordinator.core.breaker import Stage
from crossfleet.coordinator.core.commands import Command
from crossfleet.foundation.wait import eventually
from services.coordinator.tests.running import GreedyScheduler, Running, ScriptedWorker, noop, running

Plan = scheduler_pb2.ScheduleResponse


@dataclass
class Wild(GreedyScheduler):
    """Greedy, and wrong while `wrong` is set: what it says is changed by it, or left out where it answers False."""

    wrong: Callable[[Plan], bool | None] | None = None

    async def Schedule(self, requests: Any, context: Any) -> AsyncIterator[Plan]:
        async for plan in super().Schedule(requests, context):
            if self.wrong is None or self.wrong(plan) is not False:
                yield plan


def silent(plan: Plan) -> bool:
    return False


def for_dead_workers(plan: Plan) -> None:
    for one in plan.allocate:
        one.worker_id = "long-gone"


def for_more_than_there_is(plan: Plan) -> None:
    for one in plan.allocate:
        one.slots *= 100


def on_a_revision_of_its_own(plan: Plan) -> None:
    plan.base_revision += 1000


def for_ever_impossible(plan: Plan) -> None:
    group_id = plan.allocate[0].group_id
    plan.ClearField("allocate")
    plan.waiting.add(group_id=group_id, kind=scheduler_pb2.WAITING_KIND_NEVER, code="never", text="no way")


def shown(scheduler: GreedyScheduler) -> dict[str, list[int]]:
    """The slots that each group was said to want, update by update."""
    found: dict[str, list[int]] = {}
    for update in scheduler.updates:
        rows = update.snapshot if update.HasField("snapshot") else update.delta
        for one in rows.groups:
            found.setdefault(one.group_id, []).append(one.wanted_slots)
    return found


async def settled(fleet: Running) -> None:
    """All schedulers are connected."""
    schedulers = fleet.coordinator.schedulers
    links = [schedulers.fallback, *(one.link for one in schedulers.members)]
    await eventually(lambda: all(one.figures.connected for one in links), what="the schedulers")


async def joined(fleet: Running, name: str = "w1", **more: Any) -> ScriptedWorker:
    worker = ScriptedWorker(fleet.channel, name, **more)
    await worker.welcomed()
    return worker


async def standing(fleet: Running, name: str) -> admin_pb2.SchedulerStanding:
    answer = await fleet.admin.GetScheduler(admin_pb2.GetSchedulerRequest())
    return next(one for one in answer.schedulers if one.name == name)


async def changes(fleet: Running, run_id: str, number: int) -> list[event_pb2.SchedulerChanged]:
    """The first so many changes of the decider that watchers of a run hear of."""
    found: list[event_pb2.SchedulerChanged] = []
    request = event_pb2.WatchEventsRequest(after="0", run_id=run_id)
    async with asyncio.timeout(10):
        async for response in fleet.events.WatchEvents(request):
            found += [one.scheduler_changed for one in response.events if one.HasField("scheduler_changed")]
            if len(found) >= number:
                break
    return found


async def test_a_run_is_decided_by_the_scheduler_that_it_names(tmp_path: Path) -> None:
    own, new = GreedyScheduler(), GreedyScheduler()
    async with running(tmp_path, scheduler=own, beside={"new canary=0": new}) as fleet:
        await settled(fleet)
        worker = await joined(fleet)
        first = await fleet.submit(noop(1, policy=suite_pb2.Policy(scheduler="new")), "r1")
        assert (await worker.next("assign")).assign.tasks
        second = await fleet.submit(noop(1, policy=suite_pb2.Policy(scheduler="default")), "r2")
        assert (await worker.next("assign")).assign.tasks
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await fleet.submit(noop(1, policy=suite_pb2.Policy(scheduler="neww")), "r3")

    assert error.value.code() is grpc.StatusCode.NOT_FOUND
    assert "did you mean 'new'" in (error.value.details() or "")
    assert max(shown(new)[f"{first.run.run_id}/default"]) == 1
    assert max(shown(own)[f"{second.run.run_id}/default"]) == 1


async def test_a_scheduler_sees_of_anothers_groups_that_they_hold_slots_and_nothing_that_they_want(
    tmp_path: Path,
) -> None:
    # One that proposed what cannot hold would lose the group.
    own, gpu = GreedyScheduler(), GreedyScheduler(idle=True)
    wanted = suite_pb2.Target(name="t", selector='worker.labels.pool == "gpu"')
    async with running(tmp_path, scheduler=own, beside={"gpu pools=gpu": gpu}) as fleet:
        await settled(fleet)
        plain = await fleet.submit(noop(4), "r1")
        gpus = await fleet.submit(noop(4, targets=[wanted]), "r2")
        worker = await joined(fleet)
        await worker.next("assign")
        plain_id, gpu_id = f"{plain.run.run_id}/default", f"{gpus.run.run_id}/t"
        await eventually(lambda: plain_id in shown(gpu), what="a group that holds slots")

    assert set(shown(gpu)[plain_id]) == {0}
    assert max(shown(gpu)[gpu_id]) > 0
    assert gpu_id not in shown(own)


async def test_a_plan_for_a_group_of_another_scheduler_is_refused(tmp_path: Path) -> None:
    own, new = GreedyScheduler(), Wild()
    async with running(tmp_path, scheduler=own, beside={"new canary=0": new}) as fleet:
        await settled(fleet)
        await joined(fleet, slots=1)
        first = await fleet.submit(noop(1), "r1")
        await eventually(lambda: any(update.outcomes for update in own.updates), what="a plan of the fallback")

        def grabs(plan: Plan) -> None:
            for one in plan.allocate:
                one.group_id = f"{first.run.run_id}/default"

        new.wrong = grabs
        await fleet.submit(noop(1, policy=suite_pb2.Policy(scheduler="new")), "r2")
        await joined(fleet, "w2")
        await eventually(lambda: any(update.outcomes for update in new.updates), what="a refusal")

    refused = next(update.outcomes[0].refused for update in new.updates if update.outcomes)
    assert {one.reason for one in refused} == {"SCHEDULER_SUPERSEDED"}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (silent, "has not answered an update for 0.3 s"),
        (on_a_revision_of_its_own, "rests on revision"),
        (for_ever_impossible, "can never be placed, which it can"),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
async def test_whoever_is_silent_or_makes_no_sense_is_out_and_comes_back_by_itself(
    tmp_path: Path, wrong: Callable[[Plan], bool | None], told: str
) -> None:
    own, new = GreedyScheduler(), Wild()
    async with running(tmp_path, scheduler=own, beside={"new deadline=0.3": new}) as fleet:
        await settled(fleet)
        worker = await joined(fleet, slots=4)
        new.wrong = wrong
        loop = asyncio.get_running_loop()
        began = loop.time()
        submitted = await fleet.submit(noop(1))
        assert (await worker.next("assign")).assign.tasks
        assert loop.time() - began < 3.0
        out = await standing(fleet, "new")
        (change,) = await changes(fleet, submitted.run.run_id, 1)
        new.wrong = None
        back = await eventually(lambda: fleet.coordinator.schedulers.members[0].breaker.stage is Stage.CLOSED)
        later = await fleet.submit(noop(1), "later")
        assert (await worker.next("assign")).assign.tasks

    assert out.breaker == admin_pb2.BREAKER_STATE_OPEN
    assert told in out.cause
    assert (change.target, change.scheduler, change.fallback) == ("default", "default", True)
    assert told in change.cause
    assert back
    assert max(shown(new)[f"{later.run.run_id}/default"]) == 1
    assert f"{later.run.run_id}/default" not in {one for one, wants in shown(own).items() if max(wants) > 0}


async def test_whoever_freezes_after_it_gave_a_reason_is_believed_no_longer(tmp_path: Path) -> None:
    own, new = GreedyScheduler(), Wild()

    def kept_for_others(plan: Plan) -> None:
        if plan.allocate:
            plan.waiting.add(
                group_id=plan.allocate[0].group_id, code="reserved", text="what is free is kept for others"
            )
            plan.ClearField("allocate")
            new.wrong = silent

    async with running(tmp_path, scheduler=own, beside={"new deadline=0.3": new}) as fleet:
        await settled(fleet)
        worker = await joined(fleet, slots=4)
        new.wrong = kept_for_others
        await fleet.submit(noop(1))
        assert (await worker.next("assign")).assign.tasks
        out = await standing(fleet, "new")

    assert "has not answered an update for 0.3 s" in out.cause


async def test_nobody_is_asked_again_while_the_ledger_has_not_taken_what_he_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = GreedyScheduler(snapshots_only=True)
    async with running(tmp_path, scheduler=GreedyScheduler(), beside={"new deadline=0.3": new}) as fleet:
        await settled(fleet)
        worker = await joined(fleet)
        link, taken, asked = fleet.coordinator.schedulers.members[0].link, asyncio.Event(), 0
        commit, ask_again = link._hearer._commit, link.ask_again

        async def later(command: Command) -> object:
            await taken.wait()
            return await commit(command)

        def counted() -> None:
            nonlocal asked
            asked += 1
            ask_again()

        monkeypatch.setattr(link._hearer, "_commit", later)
        monkeypatch.setattr(link, "ask_again", counted)
        await fleet.submit(noop(1))
        await eventually(lambda: asked > 0, what="a group that waits")
        told = len(new.updates)
        await eventually(lambda: asked > 3, what="some time of its waiting")
        assert len(new.updates) == told
        taken.set()
        assert (await worker.next("assign")).assign.tasks


@pytest.mark.parametrize("wrong", [for_dead_workers, for_more_than_there_is], ids=lambda one: one.__name__)
async def test_a_proposal_that_could_not_hold_costs_its_group_and_several_cost_the_scheduler_all(
    tmp_path: Path, wrong: Callable[[Plan], None]
) -> None:
    own, new = GreedyScheduler(), Wild(wrong=wrong)
    async with running(tmp_path, scheduler=own, beside={"new": new}) as fleet:
        await settled(fleet)
        worker = await joined(fleet, slots=8)
        loop = asyncio.get_running_loop()
        for number in range(3):
            began = loop.time()
            await fleet.submit(noop(1), f"r{number}")
            assert (await worker.next("assign")).assign.tasks
            assert loop.time() - began < 3.0
        await eventually(lambda: fleet.coordinator.schedulers.members[0].breaker.stage is Stage.OPEN)
        out = await standing(fleet, "new")
        new.wrong = None
        await eventually(lambda: fleet.coordinator.schedulers.members[0].breaker.stage is Stage.CLOSED)

    assert "of its last" in out.cause
    assert out.refused >= 3
    assert out.accepted == 0


async def test_a_scheduler_that_is_back_is_tried_with_one_group_at_a_time(tmp_path: Path) -> None:
    own, new = GreedyScheduler(), GreedyScheduler()
    async with running(tmp_path, scheduler=own, beside={"new deadline=5": new}) as fleet:
        await settled(fleet)
        (member,) = fleet.coordinator.schedulers.members
        member.breaker.lost(fleet.coordinator.clock.monotonic(), "for a test")
        member.breaker.connected(fleet.coordinator.clock.monotonic())
        runs = [await fleet.submit(noop(1), f"r{number}") for number in range(3)]
        groups = [f"{one.run.run_id}/default" for one in runs]
        await eventually(lambda: groups[0] in shown(new) and set(groups[1:]) <= shown(own).keys())

    assert not set(groups[1:]) & shown(new).keys()
    assert groups[0] not in shown(own)


async def test_gangs_go_to_the_fallback_where_a_scheduler_places_none(tmp_path: Path) -> None:
    own, new = GreedyScheduler(), GreedyScheduler()
    target = suite_pb2.Target(name="t", request=suite_pb2.Request(gang=2))
    async with running(tmp_path, scheduler=own, beside={"new": new}) as fleet:
        await settled(fleet)
        submitted = await fleet.submit(noop(2, targets=[target]))
        group_id = f"{submitted.run.run_id}/t"
        await eventually(lambda: group_id in shown(own), what="the gang is the fallback's")
        (change,) = await changes(fleet, submitted.run.run_id, 1)

    assert group_id not in shown(new)
    assert change.cause == "scheduler new places no gangs"


async def test_runs_wait_for_nobody_when_a_scheduler_was_never_there(tmp_path: Path) -> None:
    own = GreedyScheduler()
    async with running(tmp_path, scheduler=own, schedulers=("new=unix:/nowhere/s",)) as fleet:
        await eventually(lambda: fleet.coordinator.schedulers.figures.connected, what="the fallback")
        worker = await joined(fleet)
        submitted = await fleet.submit(noop(1))
        assert (await worker.next("assign")).assign.tasks
        found = await standing(fleet, "new")
        (change,) = await changes(fleet, submitted.run.run_id, 1)
        await worker.execute((worker.got[-1]).assign)
        await fleet.until(submitted.run.run_id, run_pb2.RUN_STATE_FINISHED)

    assert (found.breaker, found.connected) == (admin_pb2.BREAKER_STATE_OPEN, False)
    assert "nothing at unix:/nowhere/s" in found.cause
    assert change.fallback
