"""What goes by policy, what stays, and what nobody notices of it."""

from __future__ import annotations

import asyncio
import hashlib
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from sqlalchemy import Engine, create_engine, insert

from crossfleet.api.coordinator.v1 import admin_service_pb2 as admin_pb2
from crossfleet.api.coordinator.v1 import artifact_service_pb2 as artifact_pb2
from crossfleet.api.coordinator.v1 import fleet_service_pb2 as fleet_pb2
from crossfleet.api.coordinator.v1 import run_service_pb2
from crossfleet.api.coordinator.v1 import schedule_service_pb2 as schedule_pb2
from crossfleet.api.types.v1 import run_pb2, suite_pb2
from crossfleet.coordinator.core.outcomes import Outcome
from crossfleet.coordinator.ledger import codec, tables
from crossfleet.coordinator.ledger.engines import sqlite_engine
from crossfleet.coordinator.logs.slot_log import Piece
from crossfleet.coordinator.logs.source import LogSource
from crossfleet.coordinator.retention.policy import RetentionSettings
from crossfleet.coordinator.retention.rows import Removed
from crossfleet.foundation.clock import ManualClock
from crossfleet.foundation.errors.status import error_from_rpc
from crossfleet.foundation.wait import eventually
from services.coordinator.tests.running import GreedyScheduler, Running, ScriptedWorker, noop, running
from tests.real.postgres import PostgresServer

HOUR, DAY = 3_600.0, 86_400.0


async def ended(fleet: Running, name: str, **more: Any) -> str:
    """A run that is over, with output and an artifact of its own."""
    spec = noop(1, **more)
    run_id = (await fleet.submit(spec, name)).run.run_id
    await fleet.coordinator.run_logs.append(LogSource(run_id, "default", "w", 0), [Piece(1, b"said", 1.0)])
    digest = await stored(fleet, f"artifact of {name}".encode())
    artifact = artifact_pb2.Artifact(run_id=run_id, name="a", digest=digest)
    await fleet.artifacts.AttachArtifact(artifact_pb2.AttachArtifactRequest(artifacts=[artifact]))
    await fleet.runs.CancelRun(run_service_pb2.CancelRunRequest(run_id=run_id))
    return run_id


async def stored(fleet: Running, content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()
    await fleet.coordinator.blobs.put(digest, content)
    return digest


async def reason(call: Any) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return error_from_rpc(caught.value).reason


def digests(*contents: str) -> list[str]:
    return [hashlib.sha256(content.encode()).hexdigest() for content in contents]


async def pass_after(fleet: Running, clock: ManualClock, seconds: float) -> Removed:
    """What the coordinator's own pass removes when so much time has gone by; its rests cost none here."""
    retention = fleet.coordinator.retention
    before = retention.last_at
    clock.advance(seconds)

    def passed() -> bool:
        clock.advance(0.0005)
        return retention.last_at != before

    await eventually(passed, deadline=20, interval=0.001)
    return retention.last


async def test_old_runs_go_with_all_that_is_theirs_and_their_request_may_come_again(tmp_path: Path) -> None:
    clock = ManualClock(time.time())
    async with running(tmp_path, clock=clock, retention=RetentionSettings(days=10)) as fleet:
        old = await ended(fleet, "old")
        opened = (await fleet.submit(noop(1), "open")).run.run_id
        assert await pass_after(fleet, clock, 9 * DAY) == Removed()
        removed = await pass_after(fleet, clock, 2 * DAY)

        assert removed == Removed(runs=1, cases=1, artifacts=1, logs=1)
        assert (await fleet.run(opened)).run_id == opened
        assert await reason(fleet.runs.GetRun(run_service_pb2.GetRunRequest(run_id=old))) == "RUN_NOT_FOUND"
        assert await fleet.coordinator.run_logs.runs() == []
        again = (await fleet.submit(noop(1), "old")).run.run_id
        assert again != old


async def test_only_so_many_runs_are_kept(tmp_path: Path) -> None:
    clock = ManualClock(time.time())
    async with running(tmp_path, clock=clock, retention=RetentionSettings(days=0, runs=2)) as fleet:
        runs = [await ended(fleet, f"run {number}") for number in range(4)]
        removed = await pass_after(fleet, clock, 3600)
        kept = [run async for run in listed(fleet)]

    assert removed.runs == 2
    assert kept == runs[:1:-1]


async def listed(fleet: Running) -> Any:
    for run in (await fleet.runs.ListRuns(run_service_pb2.ListRunsRequest())).runs:
        yield run.run_id


async def test_artifacts_and_output_may_go_before_their_run(tmp_path: Path) -> None:
    clock = ManualClock(time.time())
    policy = RetentionSettings(days=0, artifact_days=1, log_days=1)
    async with running(tmp_path, clock=clock, retention=policy) as fleet:
        run_id = await ended(fleet, "old")
        removed = await pass_after(fleet, clock, 2 * DAY)
        left = await fleet.artifacts.ListArtifacts(artifact_pb2.ListArtifactsRequest(run_id=run_id))

        assert (removed.artifacts, removed.logs, list(left.artifacts)) == (1, 1, [])
        assert (await fleet.run(run_id)).run_id == run_id


async def test_blobs_go_that_no_kept_run_needs_and_that_nobody_was_told_of_lately(tmp_path: Path) -> None:
    clock = ManualClock(time.time())
    policy = RetentionSettings(days=0.1, grace_hours=3, every_minutes=30)
    async with running(tmp_path, clock=clock, retention=policy, embedded=False) as fleet:
        fleet.coordinator.blobs.recent._clock = clock.monotonic
        fleet.coordinator.blobs.recent._blind = clock.monotonic()
        file = await stored(fleet, b"a file")
        manifest = suite_pb2.Manifest(
            entries=[suite_pb2.ManifestEntry(path="a", digest=file, size_bytes=6)]
        ).SerializeToString(deterministic=True)
        spec = noop(1)
        spec.workspace.manifest_digest = await stored(fleet, manifest)
        await fleet.submit(spec, "open")
        await ended(fleet, "old")
        for content in ("unneeded", "told of"):
            await stored(fleet, content.encode())
        first = await pass_after(fleet, clock, 2.75 * HOUR)
        await fleet.artifacts.FindMissingBlobs(artifact_pb2.FindMissingBlobsRequest(digests=digests("told of")))
        removed = await pass_after(fleet, clock, 0.5 * HOUR)
        wanted = [file, spec.workspace.manifest_digest, *digests("told of", "unneeded", "artifact of old")]
        missing = await fleet.artifacts.FindMissingBlobs(artifact_pb2.FindMissingBlobsRequest(digests=wanted))

    assert (first.runs, first.blobs, removed.blobs) == (1, 0, 2)
    assert list(missing.missing) == digests("unneeded", "artifact of old")


async def test_what_a_schedule_submits_is_kept_as_long_as_the_schedule(tmp_path: Path) -> None:
    clock = ManualClock(time.time())
    policy = RetentionSettings(days=0.1, grace_hours=3, every_minutes=30)
    async with running(tmp_path, clock=clock, retention=policy, embedded=False) as fleet:
        fleet.coordinator.blobs.recent._clock = clock.monotonic
        fleet.coordinator.blobs.recent._blind = clock.monotonic()
        file = await stored(fleet, b"a file")
        manifest = suite_pb2.Manifest(
            entries=[suite_pb2.ManifestEntry(path="a", digest=file, size_bytes=6)]
        ).SerializeToString(deterministic=True)
        spec = noop(1)
        spec.workspace.manifest_digest = await stored(fleet, manifest)
        schedule = schedule_pb2.Schedule(name="yearly", cron="0 0 29 2 *", spec=spec)
        await fleet.schedules.CreateSchedule(schedule_pb2.CreateScheduleRequest(schedule=schedule))
        kept = await pass_after(fleet, clock, 3.5 * HOUR)
        await fleet.schedules.DeleteSchedule(schedule_pb2.DeleteScheduleRequest(name="yearly"))
        removed = await pass_after(fleet, clock, 1.5 * HOUR)
    assert (kept.blobs, removed.blobs) == (0, 2)


async def test_a_leader_that_has_just_begun_removes_no_blobs(tmp_path: Path) -> None:
    clock = ManualClock(time.time())
    async with running(tmp_path, clock=clock) as fleet:
        await stored(fleet, b"unneeded")
        removed = await pass_after(fleet, clock, 60 * DAY)
        assert not fleet.coordinator.retention.blobs_certain()

    assert removed.blobs == 0


async def test_uploads_that_were_given_up_are_removed(tmp_path: Path) -> None:
    clock = ManualClock(time.time())
    part = tmp_path / "uploads" / "x.part"
    part.parent.mkdir()
    part.write_bytes(b"half")
    async with running(tmp_path, clock=clock) as fleet:
        assert (await pass_after(fleet, clock, 3600)).uploads == 0
        assert (await pass_after(fleet, clock, 2 * DAY)).uploads == 1

    assert not part.exists()


def fill(engine: Engine, rows: int) -> None:
    """A run that ended long ago, with so many cases."""
    run = {"run_id": "ancient", "request_id": "ancient", "created_at": 1.0, "finished_at": 2.0, "live": False}
    names = {column.name: column for column in tables.runs.c}
    run |= {
        name: (b"" if name == "spec" else "" if str(column.type) == "TEXT" else 0)
        for name, column in names.items()
        if name not in run
    }
    empty = {"TEXT": "", "BLOB": b""}
    group = {column.name: empty.get(str(column.type), 0) for column in tables.task_groups.c}
    group |= {"group_id": "ancient/default", "run_id": "ancient", "counts": "[]", "cases": rows}
    verdict = {column.name: empty.get(str(column.type), 0) for column in tables.verdicts.c}
    payloads = codec.encode_payloads([(0, b"x" * 2000)])
    with engine.begin() as connection:
        connection.execute(insert(tables.runs), [run])
        connection.execute(insert(tables.task_groups), [group])
        connection.execute(
            insert(tables.verdicts),
            [
                verdict | {"group_id": "ancient/default", "case_index": index, "outcome": int(Outcome.PASSED)}
                for index in range(rows)
            ],
        )
        connection.execute(
            insert(tables.results),
            [{"group_id": "ancient/default", "batch": batch, "payloads": payloads} for batch in range(rows // 10)],
        )
    engine.dispose()


@pytest.mark.parametrize("rows", [10_000, pytest.param(100_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_commits_do_not_wait_while_very_many_rows_are_removed(tmp_path: Path, rows: int, kind: str) -> None:
    async with AsyncExitStack() as stack:
        url = ""
        if kind == "postgres":
            url = stack.enter_context(PostgresServer({})).create("fleet")
        fleet = await stack.enter_async_context(running(tmp_path, database=url))
        fill(
            create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
            if url
            else sqlite_engine(str(tmp_path / "ledger.sqlite")),
            rows,
        )
        task = asyncio.ensure_future(fleet.coordinator.retention.remove())
        waits: list[float] = []
        while not task.done():
            began = time.perf_counter()
            await fleet.submit(noop(1), f"run {len(waits)}")
            waits.append(time.perf_counter() - began)
        removed = task.result()

    assert (removed.runs, removed.cases) == (1, rows)
    waits.sort()
    print(
        f"{len(waits)} commits, median {waits[len(waits) // 2]:.4f} s, p99 {waits[len(waits) * 99 // 100]:.4f} s, max {waits[-1]:.4f} s"
    )
    assert len(waits) > 20
    assert waits[len(waits) // 2] < 0.1
    assert waits[-1] < 1.0


async def test_a_copy_of_a_fleet_removes_nothing_from_the_store_of_the_original(tmp_path: Path) -> None:
    clock, other = ManualClock(time.time()), ManualClock(time.time())
    shared: dict[str, Any] = {"artifacts": (tmp_path / "shared").as_uri()}
    async with (
        running(tmp_path / "a", clock=clock, **shared) as original,
        running(tmp_path / "b", clock=other, **shared) as copy,
    ):
        for fleet, its in ((original, clock), (copy, other)):
            fleet.coordinator.blobs.recent._clock = its.monotonic
            fleet.coordinator.blobs.recent._blind = its.monotonic()
        assert await original.coordinator.retention.owns_store()
        await ended(original, "kept")
        await stored(original, b"unneeded")
        removed = await pass_after(copy, other, 2 * DAY)
        shown = await copy.admin.GetRetention(admin_pb2.GetRetentionRequest(count=True))
        mine = await pass_after(original, clock, 2 * DAY)

    assert (removed.blobs, removed.logs, shown.foreign_store) == (0, 0, True)
    assert shown.next.blobs == 2
    assert mine.blobs == 1


async def test_workers_that_have_gone_are_forgotten_and_what_they_ran_keeps_their_names(tmp_path: Path) -> None:
    clock = ManualClock(time.time())
    async with running(tmp_path, clock=clock, scheduler=GreedyScheduler()) as fleet:
        worker = ScriptedWorker(fleet.channel)
        await worker.welcomed()
        run_id = (await fleet.submit(noop(1))).run.run_id
        await worker.execute((await worker.next("assign")).assign)
        await worker.give_back((await worker.next("close_allocation")).close_allocation.allocation_id)
        await fleet.until(run_id, run_pb2.RUN_STATE_FINISHED)
        await worker.leave_in_order()
        early = await pass_after(fleet, clock, 0.5 * HOUR)
        late = await pass_after(fleet, clock, HOUR)
        listed_workers = (await fleet.fleet.ListWorkers(fleet_pb2.ListWorkersRequest())).workers
        cases = (await fleet.runs.ListCases(run_service_pb2.ListCasesRequest(run_id=run_id))).cases

    assert (early.workers, late.workers, len(listed_workers)) == (0, 1, 0)
    assert [case.worker_id for case in cases] == ["w1"]
    async with running(tmp_path) as again:
        assert not (await again.fleet.ListWorkers(fleet_pb2.ListWorkersRequest())).workers
        assert (await again.run(run_id)).counts.passed == 1


async def test_a_leader_that_another_one_has_followed_removes_no_blob(tmp_path: Path) -> None:
    clock = ManualClock(time.time())
    async with running(tmp_path, clock=clock, retention=RetentionSettings(every_minutes=30)) as fleet:
        await stored(fleet, b"unneeded")
        fleet.coordinator.blobs.recent._clock = clock.monotonic
        fleet.coordinator.blobs.recent._blind = clock.monotonic()
        engine = sqlite_engine(str(tmp_path / "ledger.sqlite"))
        with engine.begin() as connection:
            connection.execute(tables.ledger_head.update().values(epoch=tables.ledger_head.c.epoch + 1))
        engine.dispose()
        removed = await pass_after(fleet, clock, 26 * HOUR)

        assert removed.blobs == 0
        assert await fleet.coordinator.blobs.get(digests("unneeded")[0]) == b"unneeded"
