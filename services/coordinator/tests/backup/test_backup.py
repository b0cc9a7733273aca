"""Backups through the service, and the program that restores them."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossfleet.api.coordinator.v1 import admin_service_pb2 as admin_pb2
from crossfleet.api.coordinator.v1 import artifact_service_pb2 as artifact_pb2
from crossfleet.api.coordinator.v1 import run_service_pb2
from crossfleet.coordinator import restore
from crossfleet.coordinator.backup.format import (
    MAGIC,
    BackupDamaged,
    BlobPiece,
    End,
    Head,
    OutputPiece,
    Rows,
    Writer,
    frames,
)
from crossfleet.coordinator.logs.slot_log import Piece
from crossfleet.coordinator.logs.source import LogSource
from services.coordinator.tests.running import Running, noop, running

LARGE = os.urandom(2_500_000)


async def backed_up(fleet: Running, file: Path, *, artifacts: bool = False) -> admin_pb2.BackupSummary:
    summary = None
    with file.open("wb") as opened:
        async for response in fleet.admin.Backup(admin_pb2.BackupRequest(artifacts=artifacts)):
            assert summary is None
            opened.write(response.content)
            summary = response.summary if response.HasField("summary") else None
    assert summary is not None
    return summary


async def restored(file: Path, folder: Path, **settings: str) -> int:
    flags = [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", value)]
    return await asyncio.to_thread(restore.main, [str(file), "--data", str(folder), *flags])


async def with_output(fleet: Running, name: str) -> str:
    """A run with output and an artifact."""
    run_id = (await fleet.submit(noop(1), name)).run.run_id
    await fleet.coordinator.run_logs.append(LogSource(run_id, "default", "w", 0), [Piece(1, b"said", 1.0)])
    for content in (b"small", LARGE, b""):
        digest = hashlib.sha256(content).hexdigest()
        await fleet.coordinator.blobs.put(digest, content)
        artifact = artifact_pb2.Artifact(run_id=run_id, name=digest[:4], digest=digest)
        await fleet.artifacts.AttachArtifact(artifact_pb2.AttachArtifactRequest(artifacts=[artifact]))
    return run_id


async def fetched(fleet: Running, content: bytes) -> bytes:
    request = artifact_pb2.DownloadBlobRequest(digest=hashlib.sha256(content).hexdigest())
    return b"".join([piece.content async for piece in fleet.artifacts.DownloadBlob(request)])


@pytest.mark.parametrize("shared", [False, True], ids=["own folder", "shared store"])
async def test_a_fleet_comes_back_with_runs_artifacts_and_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], shared: bool
) -> None:
    file = tmp_path / "fleet.backup"
    async with running(tmp_path / "a") as fleet:
        run_id = await with_output(fleet, "one")
        summary = await backed_up(fleet, file, artifacts=True)
        await fleet.submit(noop(1), "later")
    assert summary.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    settings: dict[str, Any] = {"artifacts": (tmp_path / "shared").as_uri()} if shared else {}

    assert await restored(file, tmp_path / "b", **settings) == 0
    told = capsys.readouterr().out
    async with running(tmp_path / "b", **settings) as fleet:
        runs = [run.run_id for run in (await fleet.runs.ListRuns(run_service_pb2.ListRunsRequest())).runs]
        output = [piece.content async for _, piece in fleet.coordinator.run_logs.reader(run_id).following()]
        assert [await fetched(fleet, content) for content in (b"small", LARGE, b"")] == [b"small", LARGE, b""]
        assert (await fleet.submit(noop(1), "one")).run.run_id == run_id

    assert runs == [run_id]
    assert output == [b"said"]
    assert "1 runs" in told
    assert "no content" not in told


async def test_a_backup_without_artifacts_says_what_is_missing_where_the_store_is_not_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = (tmp_path / "shared").as_uri()
    file = tmp_path / "fleet.backup"
    async with running(tmp_path / "a", artifacts=shared) as fleet:
        await with_output(fleet, "one")
        await backed_up(fleet, file)
    assert await restored(file, tmp_path / "b") == 0
    without = capsys.readouterr().out
    assert await restored(file, tmp_path / "c", artifacts=shared) == 0
    with_store = capsys.readouterr().out

    assert "3 artifacts have no content" in without
    assert "no content" not in with_store


async def test_a_backup_that_is_made_while_runs_are_submitted_is_of_one_moment(tmp_path: Path) -> None:
    file = tmp_path / "fleet.backup"
    submitted: list[str] = []

    async with running(tmp_path / "a") as fleet:

        async def submit() -> None:
            while True:
                submitted.append((await fleet.submit(noop(20), f"run {len(submitted)}")).run.run_id)

        task = asyncio.ensure_future(submit())
        while len(submitted) < 20:
            await asyncio.sleep(0)
        await backed_up(fleet, file)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    with file.open("rb") as opened:
        found = list(frames(opened))
    head = next(frame for frame in found if isinstance(frame, Head))
    events = {seq for frame in found if isinstance(frame, Rows) and frame.table == "events" for seq, *_ in frame.rows}
    runs = [row[0] for frame in found if isinstance(frame, Rows) and frame.table == "runs" for row in frame.rows]

    assert max(events) == head.seq
    assert sorted(runs) == sorted(submitted[: len(runs)])
    assert 20 <= len(runs) <= len(submitted)
    assert await restored(file, tmp_path / "b") == 0
    async with running(tmp_path / "b") as fleet:
        assert set(fleet.coordinator.writer.state.runs) == set(runs)


def small() -> bytes:
    writer = Writer()
    parts = [MAGIC, writer.add(Head(1.0, "1", "0004", 1, 2, 3, 4, 5, 1))]
    parts.append(writer.add(Rows("collections", ["digest", "cases"], [["0" * 64, b"x"], ["1" * 64, b"y"]])))
    parts.append(writer.add(BlobPiece("0" * 64, b"content", last=True)))
    parts.append(writer.add(OutputPiece("r", "t", "w", 0, [(1, 2.0, b"said")])))
    return b"".join([*parts, writer.end()])


SMALL = small()


def test_a_backup_reads_back_as_it_was_written() -> None:
    found = list(frames(io.BytesIO(SMALL)))

    assert [type(frame) for frame in found] == [Head, Rows, BlobPiece, OutputPiece, End]
    assert found[1] == Rows("collections", ["digest", "cases"], [["0" * 64, b"x"], ["1" * 64, b"y"]])


@given(st.integers(0, len(SMALL) - 1), st.integers(1, 255))
def test_no_damaged_byte_goes_unseen(at: int, flipped: int) -> None:
    damaged = bytearray(SMALL)
    damaged[at] ^= flipped
    with pytest.raises(BackupDamaged):
        list(frames(io.BytesIO(bytes(damaged))))


@given(st.integers(0, len(SMALL) - 1))
def test_no_end_that_is_missing_goes_unseen(length: int) -> None:
    with pytest.raises(BackupDamaged):
        list(frames(io.BytesIO(SMALL[:length])))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"not a backup", "no backup of crossfleet"),
        (SMALL[:-9], "broken off|damaged"),
        (SMALL.replace(MAGIC, MAGIC + SMALL[len(MAGIC) : len(MAGIC) + 3], 1), "damaged"),
    ],
)
async def test_what_is_no_whole_backup_touches_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, told: str
) -> None:
    file = tmp_path / "x"
    file.write_bytes(content)

    assert await restored(file, tmp_path / "b") == 2
    assert not (tmp_path / "b").exists()
    text = capsys.readouterr().err
    assert any(each in text for each in told.split("|"))


async def test_a_place_that_is_in_use_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "fleet.backup"
    file.write_bytes(SMALL)
    async with running(tmp_path / "a") as fleet:
        run = (await fleet.submit(noop(1), "one")).run.run_id
        assert await restored(file, tmp_path / "a") == 2
        assert (await fleet.run(run)).run_id == run

    assert "not empty" in capsys.readouterr().err


async def test_the_policy_is_shown_with_what_would_go(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        shown: Any = await fleet.admin.GetRetention(admin_pb2.GetRetentionRequest(count=True))
        brief = await fleet.admin.GetRetention(admin_pb2.GetRetentionRequest())

    assert (shown.days, shown.runs, shown.artifact_days, shown.blobs_wait) == (90, 0, 30, True)
    assert shown.next == admin_pb2.RetentionCounts()
    assert not brief.HasField("next")
