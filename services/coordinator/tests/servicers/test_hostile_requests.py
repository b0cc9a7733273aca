"""What no well-behaved client, worker or scheduler sends: it is refused by field, and nobody else notices."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from crossfleet.api.coordinator.v1 import artifact_service_pb2 as artifact_pb2
from crossfleet.api.coordinator.v1 import event_service_pb2 as event_pb2
from crossfleet.api.coordinator.v1 import fleet_service_pb2 as fleet_pb2
from crossfleet.api.coordinator.v1 import log_service_pb2 as log_pb2
from crossfleet.api.coordinator.v1 import run_service_pb2 as run_service
from crossfleet.api.scheduler.v1 import scheduler_service_pb2 as scheduler_pb2
from crossfleet.api.types.v1 import device_pb2, result_pb2, run_pb2
from crossfleet.api.worker.v1 import worker_service_pb2 as worker_pb2
from crossfleet.foundation.errors.status import error_from_rpc
from crossfleet.foundation.wait import eventually
from services.coordinator.tests.running import GreedyScheduler, ScriptedWorker, noop, running

BLOB = b"content"
DIGEST = hashlib.sha256(BLOB).hexdigest()


def token(position: Any, *filters: Any) -> str:
    """A page token as a client could make it by hand."""
    text = json.dumps([zlib.crc32(json.dumps(filters).encode()), position])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


async def one(*messages: Any) -> AsyncIterator[Any]:
    for message in messages:
        yield message


async def test_a_run_of_which_schedulers_could_not_be_told_is_not_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise OverflowError("no words for it")

    monkeypatch.setattr("crossfleet.matching.messages.selector_of", broken)
    async with running(tmp_path) as fleet:
        spec = noop(1)
        spec.targets.add(name="gpu").request.devices.add(device_class="gpu", capacities={"memory": 4})
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await fleet.runs.SubmitRun(run_service.SubmitRunRequest(request_id="poison", spec=spec))
        assert refused.value.code() is grpc.StatusCode.INTERNAL
        assert not (await fleet.runs.ListRuns(run_service.ListRunsRequest())).runs
        assert (await fleet.runs.SubmitRun(run_service.SubmitRunRequest(request_id="well", spec=noop(1)))).run.run_id


@pytest.mark.parametrize("position", [5, "x", True, [1], ["a", "b"], [1.0, 2], {"a": 1}, [1.0, "x", "y"], None])
async def test_a_page_token_made_by_hand_is_refused(tmp_path: Path, position: Any) -> None:
    async with running(tmp_path) as fleet:
        with pytest.raises(grpc.aio.AioRpcError) as runs:
            await fleet.runs.ListRuns(run_service.ListRunsRequest(page_token=token(position, "runs", "", [])))
        with pytest.raises(grpc.aio.AioRpcError) as workers:
            await fleet.fleet.ListWorkers(fleet_pb2.ListWorkersRequest(page_token=token(position, "workers")))
    assert [error_from_rpc(each.value).reason for each in (runs, workers)] == ["PAGE_TOKEN_INVALID"] * 2


async def test_a_page_of_large_runs_is_shorter_than_asked_for_and_goes_on(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        for number in range(6):
            spec = noop(1)
            spec.suite.arguments.append("x" * 3_500_000)
            await fleet.submit(spec, f"r{number}")
        found, page = [], ""
        while True:
            answer = await fleet.runs.ListRuns(run_service.ListRunsRequest(page_token=page))
            found += [run.run_id for run in answer.runs]
            page = answer.next_page_token
            if not page:
                break
    assert len(set(found)) == len(found) == 6


@pytest.mark.parametrize(
    ("target", "name"),
    [("", "../x"), ("", "/etc/x"), ("/etc", "x"), ("..", "x"), ("", "a/./b"), ("", "a\0b"), ("", "a//b")],
)
async def test_an_artifact_that_would_be_fetched_elsewhere_is_refused(tmp_path: Path, target: str, name: str) -> None:
    async with running(tmp_path) as fleet:
        run_id = (await fleet.submit(noop(1))).run.run_id
        await fleet.artifacts.UploadBlob(
            one(artifact_pb2.UploadBlobRequest(digest=DIGEST, size_bytes=len(BLOB), content=BLOB))
        )
        artifact = artifact_pb2.Artifact(run_id=run_id, target=target, name=name, digest=DIGEST)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await fleet.artifacts.AttachArtifact(artifact_pb2.AttachArtifactRequest(artifacts=[artifact]))
    fields = [field.path for field in error_from_rpc(refused.value).fields]
    assert fields == ["artifacts[0].target" if target else "artifacts[0].name"]


async def test_output_of_an_unknown_stream_is_refused_and_leaves_the_log_readable(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        run_id = (await fleet.submit(noop(1))).run.run_id
        source = {"run_id": run_id, "target": "default", "worker_id": "w"}
        wrong = log_pb2.LogChunk(stream=-1, content=b"lost", **source)  # type: ignore[arg-type]
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await fleet.logs.PushLogs(one(log_pb2.PushLogsRequest(chunks=[wrong])))
        kept = log_pb2.LogChunk(stream=log_pb2.LOG_STREAM_STDOUT, content=b"kept", **source)  # type: ignore[arg-type]
        await fleet.logs.PushLogs(one(log_pb2.PushLogsRequest(chunks=[kept])))
        read = [part async for part in fleet.logs.ReadLogs(log_pb2.ReadLogsRequest(run_id=run_id))]
    assert error_from_rpc(refused.value).fields[0].path == "chunks[0].stream"
    assert b"".join(chunk.content for part in read for chunk in part.chunks) == b"kept"


@pytest.mark.parametrize("cores", [float("inf"), float("nan"), -1.0, 1e300])
async def test_a_worker_with_impossible_cores_is_refused(tmp_path: Path, cores: float) -> None:
    async with running(tmp_path) as fleet:
        worker = ScriptedWorker(fleet.channel)
        await worker.hello(cpu_cores=cores)
        ended = await worker.ended()
    assert ended is not None
    assert error_from_rpc(ended).fields[0].path == "hello.worker.cpu_cores"


@pytest.mark.parametrize(
    ("devices", "path"),
    [
        ([device_pb2.Device(device_class="gpu")], "devices[0].device_id"),
        ([device_pb2.Device(device_id="i" * 5_000)], "devices[0].device_id"),
        ([device_pb2.Device(device_id="gpu-0"), device_pb2.Device(device_id="gpu-0")], "devices[1].device_id"),
        ([device_pb2.Device(device_id="gpu-0", capacities={"memory": -1})], "devices[0].capacities['memory']"),
        ([device_pb2.Device(device_id=f"d{number}") for number in range(10_001)], "devices"),
    ],
)
async def test_devices_that_cannot_be_reckoned_with_are_refused_in_a_hello_and_later(
    tmp_path: Path, devices: list[device_pb2.Device], path: str
) -> None:
    async with running(tmp_path) as fleet:
        new, known = ScriptedWorker(fleet.channel, "new"), ScriptedWorker(fleet.channel, "known")
        await new.hello(devices=devices)
        first = await new.ended()
        await known.welcomed()
        await known.send(worker_pb2.WorkerMessage(devices_changed=worker_pb2.DevicesChanged(devices=devices)))
        later = await known.ended()
        found = await fleet.fleet.GetWorker(fleet_pb2.GetWorkerRequest(worker_id="known"))
    assert first is not None
    assert later is not None
    assert [one.path for one in error_from_rpc(first).fields] == [f"hello.worker.{path}"]
    assert [one.path for one in error_from_rpc(later).fields] == [f"devices_changed.{path}"]
    assert not found.worker.worker.devices


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -5.0])
async def test_a_duration_that_no_clock_can_measure_does_not_cost_the_result(tmp_path: Path, seconds: float) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        worker = ScriptedWorker(fleet.channel)
        await worker.welcomed()
        run_id = (await fleet.submit(noop(1))).run.run_id
        task = (await worker.next("assign")).assign.tasks[0]
        result = result_pb2.CaseResult(case_index=0, outcome=result_pb2.OUTCOME_PASSED, call_seconds=seconds)
        await worker.journalled(
            worker_pb2.WorkerMessage(results=worker_pb2.Results(attempt_id=task.attempt_id, results=[result]))
        )
        acknowledged = (await worker.next("acknowledge")).acknowledge.sequence
        finished = worker_pb2.AttemptFinished(attempt_id=task.attempt_id, cause=result_pb2.CAUSE_DONE)
        await worker.journalled(worker_pb2.WorkerMessage(attempt_finished=finished))
        run = await fleet.until(run_id, run_pb2.RUN_STATE_FINISHED)
        cases = (await fleet.runs.ListCases(run_service.ListCasesRequest(run_id=run_id))).cases
    assert (acknowledged, run.verdict, cases[0].seconds) == (1, run_pb2.RUN_VERDICT_PASSED, 0.0)


async def test_the_whole_log_can_be_read_after_a_worker_changed_its_devices(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        worker = ScriptedWorker(fleet.channel)
        await worker.welcomed()
        before = fleet.coordinator.feed.last
        changed = worker_pb2.DevicesChanged(devices=[device_pb2.Device(device_id="gpu0", device_class="gpu")])
        await worker.send(worker_pb2.WorkerMessage(devices_changed=changed))
        await eventually(lambda: fleet.coordinator.feed.last > before, what="the change")
        await fleet.submit(noop(1))
    async with running(tmp_path) as again:
        told = []
        async for response in again.events.WatchEvents(event_pb2.WatchEventsRequest(after="0")):
            told += [event.WhichOneof("kind") for event in response.events]
            if "run_submitted" in told:
                break
    assert told.count("worker_changed") == 1


class Leaver(GreedyScheduler):
    """Ends each stream at once."""

    dialled = 0

    async def Schedule(self, requests: Any, context: Any) -> AsyncIterator[scheduler_pb2.ScheduleResponse]:
        """Nothing."""
        self.dialled += 1
        return
        yield


async def test_a_scheduler_that_breaks_off_at_once_is_dialled_less_and_less_and_runs_say_that_they_wait(
    tmp_path: Path,
) -> None:
    scheduler = Leaver()
    async with running(tmp_path, scheduler=scheduler, unconnected_notice_seconds=0.5) as fleet:
        run_id = (await fleet.submit(noop(1))).run.run_id

        async def told() -> bool:
            return (await fleet.run(run_id)).targets[0].waiting_reason == "the scheduler is not connected"

        await eventually(told, what="why it waits")
        dialled = scheduler.dialled
    assert 1 <= dialled < 12


class Flooder(GreedyScheduler):
    """Proposes what does not hold, very often, and says at length why everybody waits."""

    async def Schedule(self, requests: Any, context: Any) -> AsyncIterator[scheduler_pb2.ScheduleResponse]:
        """One plan for each update."""
        wrong = scheduler_pb2.ProposedAllocation(group_id="none", worker_id="none", slots=1, gang_id="all")
        async for update in self.draining.until(requests):
            self.updates.append(update)
            plan = scheduler_pb2.ScheduleResponse(plan_id="flood", allocate=[wrong] * 300_000)
            for group in update.snapshot.groups or update.delta.groups:
                plan.waiting.add(group_id=group.group_id, code="c" * 1000, text="t" * 1_000_000)
            yield plan


async def test_a_scheduler_that_floods_leaves_room_for_others(tmp_path: Path) -> None:
    scheduler = Flooder()
    async with running(tmp_path, scheduler=scheduler) as fleet:
        run_id = (await fleet.submit(noop(1))).run.run_id
        await eventually(lambda: any(update.outcomes for update in scheduler.updates), what="an outcome")
        refused = next(update.outcomes[0].refused for update in scheduler.updates if update.outcomes)

        async def told() -> str:
            return (await fleet.run(run_id)).targets[0].waiting_reason

        reason = await eventually(told, what="a reason to wait")
        async with asyncio.timeout(5):
            cancelled = await fleet.runs.CancelRun(run_service.CancelRunRequest(run_id=run_id))
    assert len(refused) <= 10_000
    assert reason is not None
    assert 0 < len(reason) <= 1000
    assert cancelled.run.state in (run_pb2.RUN_STATE_STOPPING, run_pb2.RUN_STATE_FINISHED)


class Boaster(GreedyScheduler):
    """Has a very long name."""

    async def Describe(self, request: Any, context: Any) -> scheduler_pb2.DescribeResponse:
        """Who it is, at length."""
        return scheduler_pb2.DescribeResponse(name="n" * 100_000)


async def test_a_scheduler_with_a_very_long_name_is_worked_with(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=Boaster()) as fleet:
        worker = ScriptedWorker(fleet.channel)
        welcome = await worker.welcomed()
        summary = await fleet.fleet.GetFleet(fleet_pb2.GetFleetRequest())
    assert welcome.lease_seconds > 0
    assert len(summary.scheduler) <= 200
