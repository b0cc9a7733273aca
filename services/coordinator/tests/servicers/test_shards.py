from __future__ import annotations

import hashlib
from pathlib import Path

import grpc
import pytest

from crossfleet.api.coordinator.v1 import artifact_service_pb2 as artifacts
from crossfleet.api.coordinator.v1 import run_service_pb2 as run_service
from crossfleet.api.types.v1 import run_pb2, suite_pb2
from crossfleet.api.worker.v1 import worker_service_pb2 as worker_pb2
from crossfleet.coordinator.artifacts import durations
from crossfleet.foundation.errors import BlobsMissing, CrossfleetError, InvalidArgument, PageTokenInvalid
from crossfleet.foundation.errors.status import error_from_rpc
from services.coordinator.tests.running import GreedyScheduler, Running, ScriptedWorker, noop, running

IDS = [f"t/test_{file}.py::test_{n}" for file in "abcd" for n in range(5)]
FINISHED = run_pb2.RUN_STATE_FINISHED


async def refused(call) -> CrossfleetError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return error_from_rpc(caught.value)


def suite(index: int, count: int, durations: str = "") -> run_pb2.RunSpec:
    spec = run_pb2.RunSpec(workspace=suite_pb2.Workspace(none=True))
    spec.suite.name = "web"
    shard = suite_pb2.Shard(index=index, count=count, durations_digest=durations)
    spec.policy.shard.CopyFrom(shard)
    return spec


async def upload(fleet: Running, content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()

    async def pieces():
        yield artifacts.UploadBlobRequest(digest=digest, size_bytes=len(content), content=content)

    await fleet.artifacts.UploadBlob(pieces())
    return digest


async def perform(fleet: Running, worker: ScriptedWorker, spec: run_pb2.RunSpec, request_id: str) -> list[str]:
    """Carry out a run on a worker that collects IDS; answers its cases."""
    run_id = (await fleet.submit(spec, request_id)).run.run_id
    opened = (await worker.next("open_allocation")).open_allocation
    cases = [worker_pb2.CollectedCase(case_id=one, groups=[one.partition("::")[0]]) for one in IDS]
    collected = worker_pb2.Collected(allocation_id=opened.allocation_id, digest="d", cases=cases)
    await worker.send(worker_pb2.WorkerMessage(collected=collected))
    executed: list[str] = []
    mine = len(IDS) // max(spec.policy.shard.count, 1)
    while len(executed) < mine:
        assign = (await worker.next("assign")).assign
        executed += [IDS[index] for task in assign.tasks for index in task.case_indices]
        await worker.execute(assign)
        want = worker_pb2.WantTasks(allocation_id=opened.allocation_id, slots=[0])
        await worker.send(worker_pb2.WorkerMessage(want_tasks=want))
    await fleet.until(run_id, FINISHED)
    await worker.next("close_allocation")
    await worker.give_back(opened.allocation_id)
    assert sorted(executed) == sorted(await cases_of(fleet, run_id))
    return executed


async def cases_of(fleet: Running, run_id: str) -> list[str]:
    listed = await fleet.runs.ListCases(run_service.ListCasesRequest(run_id=run_id))
    return [case.case_id for case in listed.cases]


async def test_shards_on_one_fleet_share_the_suite_out_and_are_told_apart_after_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        worker = ScriptedWorker(fleet.channel, slots=1)
        await worker.welcomed()
        first = await perform(fleet, worker, suite(1, 2), "r1")
        second = await perform(fleet, worker, suite(2, 2), "r2")
        ids = [run.run_id for run in (await fleet.runs.ListRuns(run_service.ListRunsRequest())).runs]
    async with running(tmp_path) as fleet:
        again = [sorted(await cases_of(fleet, run_id)) for run_id in reversed(ids)]
        targets = [(await fleet.run(run_id)).targets[0].collection_digest for run_id in reversed(ids)]

    assert sorted(first + second) == sorted(IDS)
    assert again == [sorted(first), sorted(second)]
    assert [digest.partition("-")[2] for digest in targets] == ["1", "2"]
    assert len({digest.partition("-")[0] for digest in targets}) == 1


async def test_a_shard_that_is_under_way_keeps_its_cases_over_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        worker = ScriptedWorker(fleet.channel, slots=1)
        await worker.welcomed()
        await perform(fleet, worker, suite(1, 4), "r1")
        run_id = (await fleet.submit(suite(3, 4), "r2")).run.run_id
        opened = (await worker.next("open_allocation")).open_allocation
        cases = [worker_pb2.CollectedCase(case_id=one, groups=[one.partition("::")[0]]) for one in IDS]
        collected = worker_pb2.Collected(allocation_id=opened.allocation_id, digest="d", cases=cases)
        await worker.send(worker_pb2.WorkerMessage(collected=collected))
        await worker.next("assign")
        before = fleet.coordinator.writer.state.groups[f"{run_id}/default"].cases
    async with running(tmp_path) as fleet:
        after = fleet.coordinator.writer.state.groups[f"{run_id}/default"].cases

    assert len(before) == 5
    assert after == before


async def test_durations_that_a_client_uploads_balance_the_cut(tmp_path: Path) -> None:
    known = [("not/there.py::x", 99.0), *((one, 30.0 if one == IDS[0] else 1.0) for one in IDS)]
    twice = [("t/test_b.py::test_0", 50.0)]  # which of the two holds nobody knows: none
    content = suite_pb2.Durations(
        cases=[suite_pb2.CaseDuration(case_id=one, seconds=seconds) for one, seconds in known + twice]
    ).SerializeToString(deterministic=True)
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        worker = ScriptedWorker(fleet.channel, slots=1)
        await worker.welcomed()
        digest = await upload(fleet, content)
        run_id = (await fleet.submit(suite(1, 2, digest))).run.run_id
        opened = (await worker.next("open_allocation")).open_allocation
        cases = [worker_pb2.CollectedCase(case_id=one, groups=[one.partition("::")[0]]) for one in IDS]
        collected = worker_pb2.Collected(allocation_id=opened.allocation_id, digest="d", cases=cases)
        await worker.send(worker_pb2.WorkerMessage(collected=collected))
        await worker.next("assign")
        own = await cases_of(fleet, run_id)

    assert own == IDS[:1]


async def test_a_shard_that_cannot_be_is_refused_by_field(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        wrong = {
            (0, 3, ""): "spec.policy.shard.index",
            (4, 3, ""): "spec.policy.shard.index",
            (1, 0, ""): "spec.policy.shard.count",
            (1, 2, "xyz"): "spec.policy.shard.durations_digest",
        }
        for number, ((index, count, digest), path) in enumerate(wrong.items()):
            error = await refused(fleet.submit(suite(index, count, digest), f"r{number}"))
            assert isinstance(error, InvalidArgument)
            assert [field.path for field in error.fields] == [path]
        named = noop(4)
        named.policy.shard.index, named.policy.shard.count = 1, 2
        error = await refused(fleet.submit(named, "named"))
        missing = await refused(fleet.submit(suite(1, 2, "a" * 64), "missing"))
        foreign = await refused(fleet.submit(suite(1, 2, await upload(fleet, b"\xff no durations")), "foreign"))

    assert [field.path for field in error.fields] == ["spec.policy.shard"]
    assert isinstance(missing, BlobsMissing)
    assert [field.path for field in foreign.fields] == ["spec.policy.shard.durations_digest"]


async def test_durations_that_are_taught_come_back_in_pages(tmp_path: Path) -> None:
    history = run_service.History(suite="web")
    cases = [suite_pb2.CaseDuration(case_id=f"t.py::test_{n:04}", seconds=n + 1) for n in range(1200)]
    async with running(tmp_path) as fleet:
        await fleet.runs.ImportDurations(run_service.ImportDurationsRequest(history=history, cases=cases))
    async with running(tmp_path) as fleet:
        found: list[tuple[str, float]] = []
        token = ""
        while token or not found:
            request = run_service.ListDurationsRequest(history=history, page_size=500, page_token=token)
            page = await fleet.runs.ListDurations(request)
            found += [(case.case_id, round(case.seconds, 3)) for case in page.cases]
            token = page.next_page_token
        other = await fleet.runs.ListDurations(run_service.ListDurationsRequest(history=run_service.History(suite="x")))
        request = run_service.ListDurationsRequest(history=history, page_size=5)
        token = (await fleet.runs.ListDurations(request)).next_page_token
        foreign = run_service.ListDurationsRequest(history=run_service.History(suite="x"), page_token=token)
        error = await refused(fleet.runs.ListDurations(foreign))

    assert found == [(case.case_id, case.seconds) for case in cases]
    assert not other.cases
    assert isinstance(error, PageTokenInvalid)


@pytest.mark.parametrize(
    ("seconds", "case_id"), [(0.0, "x"), (-1.0, "x"), (float("nan"), "x"), (float("inf"), "x"), (1e9, "x"), (1.0, "")]
)
async def test_durations_that_cannot_be_are_refused_and_none_is_taken(
    tmp_path: Path, seconds: float, case_id: str
) -> None:
    cases = [
        suite_pb2.CaseDuration(case_id="fine", seconds=1),
        suite_pb2.CaseDuration(case_id=case_id, seconds=seconds),
    ]
    history = run_service.History(suite="web")
    async with running(tmp_path) as fleet:
        request = run_service.ImportDurationsRequest(history=history, cases=cases)
        error = await refused(fleet.runs.ImportDurations(request))
        nameless = await refused(fleet.runs.ImportDurations(run_service.ImportDurationsRequest(cases=cases[:1])))
        odd = run_service.ListDurationsRequest(history=run_service.History(suite="web", device_class="x" * 5000))
        endless = await refused(fleet.runs.ListDurations(odd))
        known = await fleet.runs.ListDurations(run_service.ListDurationsRequest(history=history))

    assert [field.path for field in error.fields] == ["cases[1]"]
    assert [field.path for field in nameless.fields] == ["history.suite"]
    assert [field.path for field in endless.fields] == ["history.device_class"]
    assert not known.cases


async def test_durations_that_no_memory_should_hold_are_refused_when_the_run_is_submitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durations, "MOST_BYTES", 100)
    content = suite_pb2.Durations(cases=[suite_pb2.CaseDuration(case_id="x" * 100, seconds=1)]).SerializeToString()
    async with running(tmp_path) as fleet:
        error = await refused(fleet.submit(suite(1, 2, await upload(fleet, content))))

    assert [field.path for field in error.fields] == ["spec.policy.shard.durations_digest"]
