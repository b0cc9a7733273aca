from __future__ import annotations

import asyncio
import threading
from functools import partial
from pathlib import Path

import grpc
import pytest

from crossfleet.api.coordinator.v1 import admin_service_pb2, fleet_service_pb2
from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.api.types.v1 import run_pb2, suite_pb2
from crossfleet.coordinator.ledger.sql import SqlStore
from crossfleet.coordinator.ledger.store import Batch, StoreFull
from crossfleet.coordinator.scheduling import teller
from crossfleet.foundation.wait import eventually
from crossfleet.matching.fits import Fits
from services.coordinator.tests.running import GreedyScheduler, Running, ScriptedWorker, noop, running


async def connected(fleet: Running) -> None:
    await eventually(lambda: fleet.coordinator.schedulers.figures.connected, what="the scheduler")


async def test_the_first_update_is_a_snapshot_and_later_ones_are_deltas_without_gap(tmp_path: Path) -> None:
    scheduler = GreedyScheduler()
    async with running(tmp_path, scheduler=scheduler) as fleet:
        await connected(fleet)
        worker = ScriptedWorker(fleet.channel)
        await worker.welcomed()
        await fleet.submit(noop(1))
        await worker.next("assign")
        await eventually(lambda: any(update.outcomes for update in scheduler.updates), what="an outcome")

    assert [update.revision for update in scheduler.updates] == list(range(1, len(scheduler.updates) + 1))
    kinds = [update.WhichOneof("update") for update in scheduler.updates]
    assert kinds[0] == "snapshot"
    assert set(kinds[1:]) == {"delta"}
    outcome = next(update.outcomes[0] for update in scheduler.updates if update.outcomes)
    assert len(outcome.accepted_allocation_ids) == 1
    assert not outcome.refused


async def test_a_scheduler_plans_while_the_disk_writes_and_a_snapshot_takes_back_what_was_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = GreedyScheduler()
    full = threading.Event()

    def refuse_after_all(store: SqlStore, batch: Batch) -> None:
        assert full.wait(10)
        raise StoreFull("no space left on device")

    async with running(tmp_path, scheduler=scheduler) as fleet:
        await connected(fleet)
        with monkeypatch.context() as patch:
            patch.setattr(SqlStore, "commit", refuse_after_all)
            patch.setattr(SqlStore, "on_local_disk", False)
            refused = asyncio.ensure_future(fleet.submit(noop(1), "first"))
            await eventually(lambda: any(update.delta.groups for update in scheduler.updates), what="a foreseen group")
            told = len(scheduler.updates)
            full.set()
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await refused
            await eventually(lambda: len(scheduler.updates) > told, what="what holds")

    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert scheduler.updates[told].WhichOneof("update") == "snapshot"
    assert not scheduler.updates[told].snapshot.groups


async def test_what_a_target_asks_for_is_told_anew_when_another_one_of_its_run_has_a_place(tmp_path: Path) -> None:
    scheduler = GreedyScheduler()
    spec = noop(1, targets=[suite_pb2.Target(name="db"), suite_pb2.Target(name="client", near=["db"])])
    async with running(tmp_path, scheduler=scheduler) as fleet:
        await connected(fleet)
        worker = ScriptedWorker(fleet.channel)
        worker.description["host"] = "rack-7"
        await worker.welcomed()
        await fleet.submit(spec)

        def told() -> list[str]:
            rows = [row for update in scheduler.updates for row in (*update.snapshot.groups, *update.delta.groups)]
            return [row.selector for row in rows if row.target == "client" and row.wanted_slots]

        await eventually(lambda: bool(told()), what="the row of the target that waits")

    assert set(told()) == {'worker.host in ["rack-7"]'}


async def test_a_scheduler_that_wants_snapshots_only_gets_nothing_else(tmp_path: Path) -> None:
    scheduler = GreedyScheduler(snapshots_only=True)
    async with running(tmp_path, scheduler=scheduler) as fleet:
        await connected(fleet)
        worker = ScriptedWorker(fleet.channel)
        await worker.welcomed()
        await fleet.submit(noop(1))
        assign = (await worker.next("assign")).assign

    assert assign.tasks
    assert {update.WhichOneof("update") for update in scheduler.updates} == {"snapshot"}


async def test_a_scheduler_that_wants_fits_is_told_where_groups_fit_and_what_is_free(tmp_path: Path) -> None:
    scheduler = GreedyScheduler(snapshots_only=True, wants_fits=True)
    async with running(tmp_path, scheduler=scheduler) as fleet:
        await connected(fleet)
        worker = ScriptedWorker(fleet.channel)
        await worker.welcomed()
        await fleet.submit(noop(1))
        await worker.next("assign")
        await eventually(lambda: bool(scheduler.updates[-1].snapshot.allocations), what="what was given")

    waiting = next(one.snapshot for one in scheduler.updates if any(row.fit for row in one.snapshot.groups))
    (row,) = waiting.groups
    assert [one.worker_id for one in waiting.fits[row.fit].candidates] == ["w1"]
    assert waiting.free["w1"].slots == 2
    assert scheduler.updates[-1].snapshot.free["w1"].slots == 1


async def test_fits_that_take_long_to_find_are_told_little_by_little_though_nothing_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teller, "Fits", partial(Fits, most_new=1))
    scheduler = GreedyScheduler(snapshots_only=True, wants_fits=True, idle=True)

    def candidates() -> list[int]:
        rows = [(one.snapshot, row) for one in scheduler.updates for row in one.snapshot.groups if row.fit]
        return [len(snapshot.fits[row.fit].candidates) for snapshot, row in rows]

    async with running(tmp_path, scheduler=scheduler) as fleet:
        await connected(fleet)
        for name in ("w1", "w2", "w3"):
            await ScriptedWorker(fleet.channel, name).welcomed()
        await fleet.submit(noop(1))
        await eventually(lambda: 3 in candidates(), what="all workers that fit")

    assert candidates() == sorted(candidates())


async def test_a_group_is_shown_with_its_request_and_taken_away_when_it_is_over(tmp_path: Path) -> None:
    scheduler = GreedyScheduler()
    target = suite_pb2.Target(name="big", selector="worker.cpu_cores >= 1.0")
    target.request.cpu_cores = 0.5
    async with running(tmp_path, scheduler=scheduler) as fleet:
        await connected(fleet)
        worker = ScriptedWorker(fleet.channel)
        await worker.welcomed()
        spec = noop(1, targets=[target], policy=suite_pb2.Policy(priority=7))
        submitted = await fleet.submit(spec)
        await worker.execute((await worker.next("assign")).assign)
        await fleet.until(submitted.run.run_id, run_pb2.RUN_STATE_FINISHED)
        group_id = f"{submitted.run.run_id}/big"
        await eventually(
            lambda: group_id in [one for update in scheduler.updates for one in update.delta.removed_group_ids]
        )

    seen = next(group for update in scheduler.updates for group in update.delta.groups)
    assert (seen.group_id, seen.target, seen.priority, seen.runner) == (group_id, "big", 7, "noop")
    assert seen.selector == "worker.cpu_cores >= 1.0"
    assert (seen.request.cpu_cores, seen.remaining_cases, seen.wanted_slots, seen.collected) == (0.5, 1, 1, True)


async def test_a_proposal_that_does_not_hold_is_refused_with_a_reason(tmp_path: Path) -> None:
    class Wrong(GreedyScheduler):
        def _place(self, plan: scheduler_pb2.ScheduleResponse, group: scheduler_pb2.TaskGroup) -> None:
            plan.allocate.add(group_id=group.group_id, worker_id="nobody", slots=1)

    scheduler = Wrong()
    async with running(tmp_path, scheduler=scheduler) as fleet:
        await connected(fleet)
        await fleet.submit(noop(1))
        await eventually(lambda: any(update.outcomes for update in scheduler.updates), what="an outcome")
        figures = await fleet.admin.GetScheduler(admin_service_pb2.GetSchedulerRequest())

    refused = next(update.outcomes[0].refused[0] for update in scheduler.updates if update.outcomes)
    assert (refused.index, refused.reason) == (0, "WORKER_NOT_FOUND")
    assert figures.name == "greedy"
    assert figures.refused >= 1
    assert figures.last_refusal.startswith("WORKER_NOT_FOUND")


async def test_without_a_scheduler_runs_wait_and_say_so(tmp_path: Path) -> None:
    async with running(tmp_path, unconnected_notice_seconds=0.0) as fleet:
        submitted = await fleet.submit(noop(1))

        async def told() -> bool:
            run = await fleet.run(submitted.run.run_id)
            return run.targets[0].waiting_reason == "the scheduler is not connected"

        assert await eventually(told)
        summary = await fleet.fleet.GetFleet(fleet_service_pb2.GetFleetRequest())
        assert not summary.scheduler_connected


async def test_a_scheduler_that_ends_its_stream_is_dialled_again_and_gets_a_snapshot(tmp_path: Path) -> None:
    class Leaving(GreedyScheduler):
        async def Schedule(self, requests, context):
            async for update in requests:
                self.updates.append(update)
                if len(self.updates) == 1:
                    return
            yield scheduler_pb2.ScheduleResponse()  # never reached while connected: it makes this a generator

    scheduler = Leaving()
    async with running(tmp_path, scheduler=scheduler) as fleet:
        await eventually(lambda: len(scheduler.updates) >= 2, what="a second stream")
        await connected(fleet)
        scheduler.draining.begin("the test is over")

    assert [update.WhichOneof("update") for update in scheduler.updates[:2]] == ["snapshot", "snapshot"]
    assert [update.revision for update in scheduler.updates[:2]] == [1, 1]
