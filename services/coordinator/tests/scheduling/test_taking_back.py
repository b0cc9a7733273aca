"""A scheduler that takes back whatever it gives: it may do so a few times."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crossfleet.api.coordinator.v1 import admin_service_pb2 as admin_pb2
from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.api.types.v1 import run_pb2, suite_pb2
from crossfleet.api.worker.v1 import worker_service_pb2 as worker_pb2
from crossfleet.coordinator.core.breaker import Stage
from crossfleet.coordinator.core.revocations import MOST_WASTED
from crossfleet.foundation.wait import eventually
from services.coordinator.tests.running import GreedyScheduler, ScriptedWorker, noop, running


@dataclass
class Fickle(GreedyScheduler):
    """Greedy, and takes each allocation back as soon as it hears of it. `just`: it gives to each group once, to the less
    urgent ones first."""

    fickle: bool = True
    just: bool = False
    taken: set[str] = field(default_factory=set)
    served: set[str] = field(default_factory=set)

    async def Schedule(self, requests: Any, context: Any) -> AsyncIterator[scheduler_pb2.ScheduleResponse]:
        async for update in self.draining.until(requests):
            self.updates.append(update)
            self._learn(update)
            plan = scheduler_pb2.ScheduleResponse(plan_id=f"p{update.revision}", base_revision=update.revision)
            for group in sorted(self._groups.values(), key=lambda one: one.priority):
                if not (self.just and (group.group_id in self.served or plan.allocate)):
                    self._place(plan, group)
            held = [name for name, one in self._allocations.items() if not one.closing and name not in self.taken]
            if self.fickle:
                plan.revoke_allocation_ids.extend(held)
                self.taken.update(held)
                self.served.update(self._allocations[name].group_id for name in held)
            yield plan


def uncollected(**more: Any) -> run_pb2.RunSpec:
    """A run of which a worker that gets ready for it has yet to say what its cases are."""
    spec = run_pb2.RunSpec(workspace=suite_pb2.Workspace(none=True), **more)
    spec.suite.runner = "pytest"
    return spec


async def opened_until(worker: ScriptedWorker, enough: int) -> list[str]:
    """The allocations that a worker gets, which gives back whatever is taken back, until they are so many."""
    opened: list[str] = []
    while len(opened) < enough:
        for one in (await worker.response()).messages:
            if one.HasField("open_allocation"):
                opened.append(one.open_allocation.allocation_id)
            elif one.HasField("close_allocation"):
                await worker.give_back(one.close_allocation.allocation_id)
    return opened


async def carried_out(worker: ScriptedWorker, allocation_id: str) -> None:
    """The run's one case is collected and executed, and the slot given back."""
    case = worker_pb2.CollectedCase(case_id="t.py::test", groups=["t.py"])
    collected = worker_pb2.Collected(allocation_id=allocation_id, digest="d", cases=[case])
    await worker.send(worker_pb2.WorkerMessage(collected=collected))
    await worker.execute((await worker.next("assign")).assign)
    await worker.next("close_allocation")
    await worker.give_back(allocation_id)


async def test_one_that_takes_back_all_that_it_gives_is_out_and_the_fallback_decides(tmp_path: Path) -> None:
    own, new = GreedyScheduler(), Fickle()
    async with running(tmp_path, scheduler=own, beside={"new": new}) as fleet:
        (member,) = fleet.coordinator.schedulers.members
        await eventually(lambda: member.breaker.stage is Stage.CLOSED, what="it decides")
        worker = ScriptedWorker(fleet.channel, slots=1)
        await worker.welcomed()
        run_id = (await fleet.submit(uncollected())).run.run_id
        opened = await opened_until(worker, MOST_WASTED + 1)
        await eventually(lambda: member.breaker.openings == 1, what="it is out")
        answer = await fleet.admin.GetScheduler(admin_pb2.GetSchedulerRequest())
        out = next(one for one in answer.schedulers if one.name == "new")
        new.fickle = False
        await carried_out(worker, opened[-1])
        await fleet.until(run_id, run_pb2.RUN_STATE_FINISHED)
        await eventually(lambda: member.breaker.stage is Stage.CLOSED, what="its return")
        await fleet.submit(noop(1), "later")
        await worker.execute((await worker.next("assign")).assign)

    assert len(opened) == MOST_WASTED + 1
    assert out.openings == 1
    assert f"took back {MOST_WASTED} allocations within 60 s" in out.cause
    assert f"{opened[-1]} of group {run_id}/default stays" in out.last_refusal


async def test_of_one_for_which_nobody_stands_in_what_is_too_much_is_not_carried_out(tmp_path: Path) -> None:
    scheduler = Fickle()
    async with running(tmp_path, scheduler=scheduler) as fleet:
        worker = ScriptedWorker(fleet.channel, slots=1)
        await worker.welcomed()
        run_id = (await fleet.submit(uncollected())).run.run_id
        opened = await opened_until(worker, MOST_WASTED + 1)
        figures = fleet.coordinator.schedulers.figures
        await eventually(lambda: f"{opened[-1]} of group" in figures.last_refusal, what="a refusal")
        await carried_out(worker, opened[-1])
        await fleet.until(run_id, run_pb2.RUN_STATE_FINISHED)
        assert figures.connected

    assert figures.accepted == MOST_WASTED + 1


async def test_what_is_taken_back_for_more_urgent_work_is_no_waste(tmp_path: Path) -> None:
    """Each of these runs makes room for the next, which is more urgent."""
    many = MOST_WASTED + 3
    own, new = GreedyScheduler(), Fickle(just=True)
    async with running(tmp_path, scheduler=own, beside={"new": new}) as fleet:
        (member,) = fleet.coordinator.schedulers.members
        await eventually(lambda: member.breaker.stage is Stage.CLOSED, what="it decides")
        worker = ScriptedWorker(fleet.channel, slots=1)
        for number in range(many):
            await fleet.submit(uncollected(policy=suite_pb2.Policy(priority=number)), f"r{number}")
        await worker.welcomed()
        await opened_until(worker, many)
        openings = member.breaker.openings

    assert openings == 0
