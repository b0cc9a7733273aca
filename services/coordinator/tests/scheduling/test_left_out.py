"""Of what cannot be put into words no scheduler is told; everything else goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from crossfleet.api.coordinator.v1 import admin_service_pb2 as admin_pb2
from crossfleet.api.coordinator.v1 import run_service_pb2 as run_service
from crossfleet.api.scheduler.v1.scheduler_service_pb2 import TaskGroup
from crossfleet.api.types.v1 import run_pb2
from crossfleet.coordinator.convert import plans
from crossfleet.coordinator.core.model import Group, State
from crossfleet.coordinator.scheduling.metrics import collector
from crossfleet.foundation.wait import eventually
from crossfleet.matching.messages import request_from
from services.coordinator.tests.running import GreedyScheduler, Running, ScriptedWorker, noop, running

LEFT_OUT = "crossfleet_scheduler_left_out"


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The projects of whose groups no row can be made."""
    real, found = plans.group, {"bad"}

    def broken(state: State, one: Group) -> TaskGroup:
        if state.runs[one.run_id].project in found:
            raise OverflowError("no words for it")
        return real(state, one)

    monkeypatch.setattr(plans, "group", broken)
    return found


async def reason(fleet: Running, run_id: str) -> str:
    return (await fleet.run(run_id)).targets[0].waiting_reason


async def told_why(fleet: Running, run_id: str) -> None:
    async def told() -> bool:
        return "cannot be told of it" in await reason(fleet, run_id)

    await eventually(told, what="a reason to wait")


@pytest.mark.parametrize("snapshots_only", [False, True])
async def test_a_group_that_cannot_be_told_waits_with_a_reason_and_others_go_on_under_the_next_leader_too(
    tmp_path: Path, poison: set[str], *, snapshots_only: bool
) -> None:
    scheduler = GreedyScheduler(snapshots_only=snapshots_only)
    async with running(tmp_path, scheduler=scheduler) as fleet:
        bad = (await fleet.submit(noop(1, project="bad"), "bad")).run.run_id
        worker = ScriptedWorker(fleet.channel)
        await worker.welcomed()
        await told_why(fleet, bad)
        good = (await fleet.submit(noop(1), "good")).run.run_id
        await worker.execute((await worker.next("assign")).assign)
        await fleet.until(good, run_pb2.RUN_STATE_FINISHED)
        explained = (await fleet.runs.ExplainRun(run_service.ExplainRunRequest(run_id=bad))).targets[0]
        left_out = collector(fleet.coordinator.schedulers)
        figures = REGISTRY.get_sample_value(LEFT_OUT, {"scheduler": "default"})
        left_out.end()
        standing = (await fleet.admin.GetScheduler(admin_pb2.GetSchedulerRequest())).schedulers[0]
        worker.leave()

    assert "OverflowError: no words for it" in explained.waiting_reason
    assert figures == 1
    assert (standing.left_out, list(standing.left_out_names)) == (1, [f"group {bad}/default"])

    again = GreedyScheduler(snapshots_only=snapshots_only)
    async with running(tmp_path, scheduler=again) as fleet:
        worker = ScriptedWorker(fleet.channel, incarnation="i2")
        await worker.welcomed()
        later = (await fleet.submit(noop(1), "later")).run.run_id
        await worker.execute((await worker.next("assign")).assign)
        await fleet.until(later, run_pb2.RUN_STATE_FINISHED)
        await told_why(fleet, bad)
        poison.clear()
        fleet.coordinator.schedulers.fallback.teller.everything()
        await worker.execute((await worker.next("assign")).assign)
        await fleet.until(bad, run_pb2.RUN_STATE_FINISHED)

    assert f"{bad}/default" not in {row.group_id for one in again.updates[:1] for row in one.snapshot.groups}


async def test_a_request_that_cannot_be_judged_for_a_scheduler_gets_no_fit_and_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(message: Any, selector: str, runner: str) -> Any:
        if message.cpu_cores:
            raise OverflowError("no words for it")
        return request_from(message, selector, runner)

    monkeypatch.setattr("crossfleet.matching.fits.request_from", broken)
    scheduler = GreedyScheduler(snapshots_only=True, wants_fits=True, idle=True)
    spec = noop(1)
    spec.targets.add(name="big").request.cpu_cores = 1.0
    async with running(tmp_path, scheduler=scheduler) as fleet:
        bad = (await fleet.submit(spec, "bad")).run.run_id
        await told_why(fleet, bad)
        await fleet.submit(noop(1), "good")
        await eventually(lambda: len(scheduler.updates[-1].snapshot.groups) == 2, what="both groups")

    assert {row.target: row.fit for row in scheduler.updates[-1].snapshot.groups} == {"big": 0, "default": 1}


async def test_whatever_else_goes_wrong_as_a_scheduler_is_told_costs_a_stream_and_no_leader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OverflowError("no words for it")

    scheduler = GreedyScheduler()
    async with running(tmp_path, scheduler=scheduler) as fleet:
        with monkeypatch.context() as patch:
            patch.setattr("crossfleet.coordinator.core.usage.Usage.advance", broken)
            worker = ScriptedWorker(fleet.channel)
            await worker.welcomed()
            await fleet.submit(noop(1), "without shares")
            await worker.execute((await worker.next("assign")).assign)
        with monkeypatch.context() as patch:
            patch.setattr("crossfleet.coordinator.convert.plans.snapshot", broken)
            fleet.coordinator.schedulers.fallback.teller.everything()
            await eventually(lambda: not fleet.coordinator.schedulers.figures.connected, what="the end of the stream")
        run_id = (await fleet.submit(noop(1), "later")).run.run_id
        await worker.execute((await worker.next("assign")).assign)
        await fleet.until(run_id, run_pb2.RUN_STATE_FINISHED)
        snapshots = [one.snapshot for one in scheduler.updates if one.HasField("snapshot")]

    assert not snapshots[0].shares
    assert snapshots[-1].shares


async def test_news_that_cannot_be_read_are_told_as_a_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = GreedyScheduler()
    async with running(tmp_path, scheduler=scheduler) as fleet:
        await eventually(lambda: bool(scheduler.updates), what="the first update")
        with monkeypatch.context() as patch:

            def broken(*_: object) -> None:
                raise OverflowError("no words for it")

            patch.setattr("crossfleet.coordinator.scheduling.changes.Changes.note", broken)
            submitted = await fleet.submit(noop(1))
            await eventually(lambda: len(scheduler.updates) > 1, what="what was submitted")

    assert [row.run_id for row in scheduler.updates[1].snapshot.groups] == [submitted.run.run_id]
