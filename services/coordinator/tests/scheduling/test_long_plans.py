"""A plan that gives a lot away is committed in parts, and keeps a short run from nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.api.types.v1 import suite_pb2
from crossfleet.coordinator.core.commands import ApplyPlan
from crossfleet.coordinator.core.plan_parts import rest
from crossfleet.coordinator.scheduling.heard import HeardPlans
from crossfleet.coordinator.scheduling.sight import own_part
from crossfleet.foundation.wait import eventually
from services.coordinator.tests.core.fleet import Fleet
from services.coordinator.tests.running import GreedyScheduler, ScriptedWorker, noop, running

LONG = 100
PRIORITIES = {"usual": 0, "urgent": 100}


def plan(group_id: str, proposals: int, **more: Any) -> scheduler_pb2.ScheduleResponse:
    message = scheduler_pb2.ScheduleResponse(plan_id=group_id, base_revision=1, **more)
    for number in range(proposals):
        message.allocate.add(group_id=group_id, worker_id=f"w{number}", slots=1)
    return message


async def order(*messages: scheduler_pb2.ScheduleResponse) -> list[str]:
    """Whose parts are committed, one after the other; the first has begun before the others are heard."""
    plans = HeardPlans(PRIORITIES.__getitem__)
    await plans.put(messages[0])
    seen = [(await plans.next()).message.plan_id]
    (await plans.next()).left.popleft()
    for message in messages[1:]:
        await plans.put(message)
    settled = asyncio.ensure_future(plans.settled())
    while not settled.done():
        one = await plans.next()
        seen.append(one.message.plan_id)
        one.left.popleft()
        if not one.left:
            plans.over(one)
        await asyncio.sleep(0)
    return seen


async def test_what_a_more_urgent_run_gets_does_not_wait_for_the_rest_of_a_long_plan() -> None:
    seen = await order(plan("usual", LONG), plan("urgent", 1))

    assert seen[:3] == ["usual", "urgent", "usual"]
    assert seen.count("usual") > 2


async def test_the_first_work_of_a_more_urgent_run_comes_before_the_slots_of_another() -> None:
    plans = HeardPlans(PRIORITIES.__getitem__)
    await plans.put(plan("usual", LONG))
    await plans.put(plan("urgent", 1))
    urgent = await plans.next()
    urgent.left.popleft()
    urgent.left.append(rest("urgent", ("urgent",)))

    assert await plans.next() is urgent


async def test_a_plan_that_takes_back_or_says_why_groups_wait_keeps_its_place() -> None:
    revoking = plan("urgent", 1, revoke_allocation_ids=["a1"])
    telling = plan("urgent", 1, waiting=[scheduler_pb2.Waiting(group_id="usual")])

    assert (await order(plan("usual", LONG), revoking))[-1] == "urgent"
    assert (await order(plan("usual", LONG), telling))[-1] == "urgent"


async def test_what_a_plan_says_of_why_a_group_waits_does_not_outlive_what_a_later_one_gives_it() -> None:
    plans = HeardPlans(PRIORITIES.__getitem__)
    reasons = [scheduler_pb2.Waiting(group_id="urgent"), scheduler_pb2.Waiting(group_id="other")]
    await plans.put(plan("usual", 1, waiting=reasons))
    first = await plans.next()
    await plans.put(plan("urgent", 1))
    later = await plans.next()
    assert (first.message.plan_id, later.message.plan_id) == ("usual", "urgent")
    plans.given(later, ["urgent"])

    assert [one.group_id for one in first.part.plan.waiting] == ["other"]
    assert not later.part.plan.waiting


def test_a_scheduler_gives_first_work_to_no_group_for_which_another_one_decides() -> None:
    fleet = Fleet()
    for run_id in ("mine", "theirs"):
        fleet.submit(run_id, ["case"])
    plan = ApplyPlan("plan", feed=("mine/default", "theirs/default"))
    own, _ = own_part(plan, fleet.state, lambda group: group.run_id == "mine")

    assert own.feed == ("mine/default",)


class Lavish(GreedyScheduler):
    """Gives slot by slot, and one to a worker that is not there."""

    def _place(self, made: scheduler_pb2.ScheduleResponse, group: scheduler_pb2.TaskGroup) -> None:
        for number in range(min(group.wanted_slots, LONG)):
            name = "nobody" if number == LONG - 30 else "w1"
            made.allocate.add(group_id=group.group_id, worker_id=name, slots=1)


async def test_a_long_plan_is_answered_once_and_as_a_whole(tmp_path: Path) -> None:
    scheduler = Lavish()
    async with running(tmp_path, scheduler=scheduler) as fleet:
        await eventually(lambda: fleet.coordinator.schedulers.figures.connected, what="the scheduler")
        await ScriptedWorker(fleet.channel, slots=LONG).welcomed()
        told = suite_pb2.Request(slots_max=LONG)
        await fleet.submit(noop(LONG, targets=[suite_pb2.Target(name="t", request=told)]))
        await eventually(lambda: any(update.outcomes for update in scheduler.updates), what="an outcome")

    update = next(update for update in scheduler.updates if update.outcomes)
    (outcome,) = update.outcomes
    assert len(outcome.accepted_allocation_ids) == LONG - 1
    assert [(one.index, one.reason) for one in outcome.refused] == [(LONG - 30, "WORKER_NOT_FOUND")]
    before = scheduler.updates[: scheduler.updates.index(update)]
    assert not [one for earlier in before for one in earlier.delta.allocations]
    assert len(update.delta.allocations) == LONG - 1
