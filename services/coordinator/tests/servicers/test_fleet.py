from __future__ import annotations

import json
from pathlib import Path

import grpc
import pytest

from crossfleet.api.coordinator.v1 import admin_service_pb2 as admin_pb2
from crossfleet.api.coordinator.v1 import fleet_service_pb2 as fleet_pb2
from crossfleet.api.types.v1 import device_pb2
from crossfleet.api.worker.v1 import worker_service_pb2 as worker_pb2
from crossfleet.foundation.clock import ManualClock
from crossfleet.foundation.errors.status import error_from_rpc
from crossfleet.foundation.wait import eventually
from services.coordinator.tests.running import GreedyScheduler, ScriptedWorker, another, noop, running


async def test_the_fleet_is_summed_up_and_workers_are_listed_by_name(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        first = ScriptedWorker(fleet.channel, "b", slots=1)
        await first.welcomed()
        async with another(fleet.address) as channel:
            await ScriptedWorker(channel, "a", slots=1).welcomed()
            submitted = await fleet.submit(noop(2))
            await first.next("assign")
            summary = await fleet.fleet.GetFleet(fleet_pb2.GetFleetRequest())
            page = await fleet.fleet.ListWorkers(fleet_pb2.ListWorkersRequest(page_size=1))
            rest = await fleet.fleet.ListWorkers(fleet_pb2.ListWorkersRequest(page_token=page.next_page_token))

    assert (summary.epoch, summary.slots, summary.open_runs, summary.pending_cases) == (1, 2, 1, 2)
    assert dict(summary.workers_by_state) == {"WORKER_STATE_READY": 2}
    assert summary.accepts_local_paths
    assert [one.worker.worker_id for one in (*page.workers, *rest.workers)] == ["a", "b"]
    held = rest.workers[0].allocations[0]
    assert (held.run_id, held.target, held.running_attempts) == (submitted.run.run_id, "default", 1)


async def test_a_drained_worker_stays_drained_over_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        worker = ScriptedWorker(fleet.channel)
        await worker.welcomed()
        request = fleet_pb2.DrainWorkerRequest(worker_id="w1", reason="new memory")
        drained = await fleet.fleet.DrainWorker(request)
        notice = (await worker.next("drain")).drain
    async with running(tmp_path) as fleet:
        await ScriptedWorker(fleet.channel).welcomed()
        after = await fleet.worker_state("w1")
        back = await fleet.fleet.UndrainWorker(fleet_pb2.UndrainWorkerRequest(worker_id="w1"))

    assert drained.worker.worker.state == device_pb2.WORKER_STATE_DRAINING
    assert notice.reason == "new memory"
    assert after == device_pb2.WORKER_STATE_DRAINING
    assert back.worker.worker.state == device_pb2.WORKER_STATE_READY


@pytest.mark.parametrize(
    ("leaving", "state"), [(True, device_pb2.WORKER_STATE_READY), (False, device_pb2.WORKER_STATE_DRAINING)]
)
async def test_a_worker_that_left_in_good_order_comes_back_drained_only_if_a_person_drained_it(
    tmp_path: Path, leaving: bool, state: int
) -> None:
    async with running(tmp_path) as fleet:
        first = ScriptedWorker(fleet.channel)
        await first.welcomed()
        await first.send(worker_pb2.WorkerMessage(draining=worker_pb2.Draining(reason="SIGTERM", leaving=leaving)))
        notice = (await first.next("drain")).drain
        before = await fleet.worker_state("w1")
        first.leave()
        await eventually(lambda: len(fleet.coordinator.sessions) == 0)
        await ScriptedWorker(fleet.channel, incarnation="i2").welcomed()
        after = await fleet.worker_state("w1")

    assert notice.reason == "SIGTERM"
    assert before == device_pb2.WORKER_STATE_DRAINING
    assert after == state


async def test_a_worker_that_is_not_there_is_named(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await fleet.fleet.DrainWorker(fleet_pb2.DrainWorkerRequest(worker_id="nobody"))

    error = error_from_rpc(caught.value)
    assert (error.reason, error.metadata["worker"]) == ("WORKER_NOT_FOUND", "nobody")


async def test_settings_are_listed_and_not_changed_yet(tmp_path: Path) -> None:
    async with running(tmp_path, lease_seconds=7.0) as fleet:
        listed = (await fleet.admin.ListSettings(admin_pb2.ListSettingsRequest())).settings
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await fleet.admin.UpdateSetting(admin_pb2.UpdateSettingRequest(name="lease_seconds", value_json="1"))

    found = {one.name: one for one in listed}
    assert json.loads(found["lease_seconds"].value_json) == 7.0
    assert json.loads(found["lease_seconds"].default_json) == 15.0
    assert found["lease_seconds"].source == "default"  # nothing was loaded: the test set it
    assert all(one.description for one in listed)
    assert error_from_rpc(caught.value).reason == "UNIMPLEMENTED"


async def test_plugins_are_listed(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        plugins = (await fleet.admin.ListPlugins(admin_pb2.ListPluginsRequest())).plugins

    assert ("runner", "pytest") in {(one.category, one.name) for one in plugins}


async def test_a_silent_worker_says_when_it_was_last_heard(tmp_path: Path) -> None:
    clock = ManualClock(1_000_000.0)
    async with running(tmp_path, clock=clock) as fleet:
        await ScriptedWorker(fleet.channel).welcomed()
        clock.advance(3.0)
        found = await fleet.fleet.GetWorker(fleet_pb2.GetWorkerRequest(worker_id="w1"))

    assert found.worker.worker.last_seen_at.ToSeconds() == 1_000_000


async def test_a_quarantined_worker_stays_so_over_a_restart_and_is_back_when_its_tests_were_good(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as fleet:
        worker = ScriptedWorker(fleet.channel)
        await worker.welcomed(checks_health=True)
        doubted = await fleet.fleet.QuarantineWorker(
            fleet_pb2.QuarantineWorkerRequest(worker_id="w1", reason="fails at night")
        )
        asked = (await worker.next("check_health")).check_health
    async with running(tmp_path) as fleet:
        worker = ScriptedWorker(fleet.channel)
        await worker.welcomed(checks_health=True)
        again = (await worker.next("check_health")).check_health
        after = await fleet.worker_state("w1")
        for request in (again, None):
            order = request or (await worker.next("check_health")).check_health
            finding = worker_pb2.HealthFinding(name="disk", good=True, text="it keeps what is written")
            answer = worker_pb2.HealthChecked(request=order.request, good=True, findings=[finding])
            await worker.send(worker_pb2.WorkerMessage(health_checked=answer))

        async def back() -> bool:
            return await fleet.worker_state("w1") == device_pb2.WORKER_STATE_READY

        await eventually(back, deadline=30, what="w1 is back")
        status = (await fleet.fleet.GetWorker(fleet_pb2.GetWorkerRequest(worker_id="w1"))).worker

    (health,) = doubted.worker.health
    assert (health.stage, health.cause) == (fleet_pb2.HEALTH_STAGE_TESTING, "by hand: fails at night")
    assert health.since.seconds
    assert again == asked
    assert after == device_pb2.WORKER_STATE_QUARANTINED
    assert status.health[0].stage == fleet_pb2.HEALTH_STAGE_WELL
    assert status.health[0].report == "disk: good, it keeps what is written"
