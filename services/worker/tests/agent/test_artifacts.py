"""Files that cases leave: all of them are kept, whatever becomes of one, and of the store."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from crossfleet.foundation.channel import open_channel
from crossfleet.foundation.serve import ServiceDefinition
from crossfleet.foundation.testing import serving
from crossfleet.foundation.wait import eventually
from crossfleet.worker import sending
from crossfleet.worker.about import About
from crossfleet.worker.artifacts import Artifacts, Then
from crossfleet.worker.late import LateArtifacts, Limits
from crossfleet.worker.sweeping import sweep
from crossfleet.worker.uploading import Uploading
from services.worker.tests.agent.store import MemoryStore, servicers

ABOUT = About("run-1", "default", (0,), "")


class Worker:
    """The artifacts of a worker whose allocations lie below `folder`, and what was told at their ends."""

    def __init__(
        self, folder: Path, channel: Callable[[], grpc.aio.Channel | None], *, most_bytes: int = 10_000_000
    ) -> None:
        self.folder = folder
        self.told: dict[str, list[str]] = {}
        self.lost: dict[str, list[str]] = {}
        uploading = Uploading("w1", channel, most_bytes=most_bytes)
        self.late = LateArtifacts(folder / "late", uploading, Limits(2_000_000, 7))
        self.artifacts = Artifacts(lambda name: folder / name, uploading, self.late)

    def left(self, allocation: str, **files: bytes) -> None:
        """What cases of slot 0 left."""
        ABOUT.write_to(self.folder / allocation)
        slot = self.folder / allocation / "artifacts" / "0"
        slot.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (slot / name).write_bytes(content)

    def hear(self, allocation: str) -> Then:
        """Note what is told at the end of an allocation."""

        def told(waiting: Sequence[str], lost: Sequence[str]) -> None:
            self.told[allocation] = list(waiting)
            self.lost[allocation] = list(lost)

        return told

    async def end(self, allocation: str) -> list[str]:
        """End an allocation; the names of what waits."""
        self.artifacts.end(allocation, ABOUT, self.hear(allocation))
        await eventually(lambda: not (self.folder / allocation).exists(), deadline=20.0, what="the end")
        return self.told[allocation]

    def waiting(self) -> list[str]:
        """The allocations of which something waits."""
        return sorted(path.name for path in (self.folder / "late").glob("*"))

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """While it sends what waits."""
        task = asyncio.ensure_future(self.late.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def standing(store: MemoryStore, folder: Path, *, most_bytes: int = 10_000_000) -> AsyncIterator[Worker]:
    """A worker with a session to a coordinator that has this store."""
    async with serving(ServiceDefinition("coordinator", servicers(store))) as served:
        yield Worker(folder, lambda: served.channel, most_bytes=most_bytes)


async def test_more_files_than_one_call_names_are_all_kept(tmp_path: Path) -> None:
    store = MemoryStore()
    async with standing(store, tmp_path) as worker:
        worker.left("a1", **{f"{number}.txt": b"the same" for number in range(1_100)})
        assert await worker.end("a1") == []

    assert len(store.artifacts) == 1_100


async def test_a_file_that_is_too_large_does_not_take_the_others_with_it(tmp_path: Path) -> None:
    store = MemoryStore()
    async with standing(store, tmp_path, most_bytes=1_000) as worker:
        worker.left("a1", **{"large.bin": b"x" * 2_000, "good.txt": b"kept"})
        assert await worker.end("a1") == []
        assert worker.lost["a1"] == ["w1/0/large.bin"]

    assert list(store.artifacts) == ["w1/0/good.txt"]


async def test_a_link_is_not_followed_and_named_as_lost_where_it_leads_elsewhere(tmp_path: Path) -> None:
    store = MemoryStore()
    async with standing(store, tmp_path) as worker:
        worker.left("a1", **{"a.so.1": b"kept"})
        slot = tmp_path / "a1" / "artifacts" / "0"
        (slot / "a.so").symlink_to("a.so.1")
        (slot / "a.whl").symlink_to("/etc/hostname")
        (slot / "dist").symlink_to(tmp_path)
        assert await worker.end("a1") == []
        assert worker.lost["a1"] == ["w1/0/a.whl", "w1/0/dist"]

    assert list(store.artifacts) == ["w1/0/a.so.1"]


async def test_an_agent_that_comes_after_the_last_look_does_not_claim_that_nothing_was_lost(tmp_path: Path) -> None:
    store = MemoryStore()
    async with standing(store, tmp_path, most_bytes=1_000) as worker:
        worker.left("a1", **{"large.bin": b"x" * 2_000})
        assert await worker.end("a1") == []
    async with standing(store, tmp_path, most_bytes=1_000) as successor:
        successor.artifacts.end("a1", None, successor.hear("a1"))
        await successor.artifacts.settle(20.0)
        assert successor.lost["a1"] == ["a1"]


async def test_names_that_are_no_text_are_told_apart(tmp_path: Path) -> None:
    store = MemoryStore()
    async with standing(store, tmp_path) as worker:
        worker.left("a1")
        for number in (0xFE, 0xFF):
            name = os.fsencode(tmp_path / "a1" / "artifacts" / "0") + b"/" + bytes([number])
            Path(os.fsdecode(name)).write_bytes(b"%d" % number)
        assert await worker.end("a1") == []

    assert len(store.artifacts) == len(store.blobs) == 2


async def test_a_file_whose_time_of_modification_is_set_back_is_stored_as_it_is_at_the_end(tmp_path: Path) -> None:
    store = MemoryStore()
    async with standing(store, tmp_path) as worker:
        for content in (b"one", b"two"):
            worker.left("a1", **{"a.whl": content})
            os.utime(tmp_path / "a1" / "artifacts" / "0" / "a.whl", (0, 0))
            worker.artifacts.collect("a1", ABOUT)
            await worker.artifacts.settle(20.0)
        assert await worker.end("a1") == []

    assert store.blobs[store.artifacts["w1/0/a.whl"].digest] == b"two"


async def test_a_file_that_is_too_large_is_named_as_lost_also_while_the_store_is_away(tmp_path: Path) -> None:
    store = MemoryStore()
    async with standing(store, tmp_path, most_bytes=1_000) as worker:
        store.away = True
        worker.left("a1", **{"a.txt": b"first", "small.txt": b"kept"})
        assert await worker.end("a1") == ["w1/0/a.txt", "w1/0/small.txt"]
        worker.left("a2", **{"large.bin": b"x" * 2_000, "small.txt": b"kept"})
        assert await worker.end("a2") == ["w1/0/small.txt"]
        assert (worker.lost["a1"], worker.lost["a2"]) == ([], ["w1/0/large.bin"])


async def test_an_allocation_is_given_back_once_and_only_when_its_files_are_in_the_run(tmp_path: Path) -> None:
    store = MemoryStore()
    stored_at_end: list[list[str]] = []
    async with standing(store, tmp_path) as worker:
        worker.left("a1", **{"model.bin": b"x" * 3_000_000})
        worker.artifacts.collect("a1", ABOUT)
        for _ in range(2):
            worker.artifacts.end("a1", ABOUT, then=lambda *_: stored_at_end.append(list(store.artifacts)))
        await eventually(lambda: not (tmp_path / "a1").exists(), deadline=20.0, what="the end of the allocation")

    assert stored_at_end == [["w1/0/model.bin"]]


async def test_while_the_store_is_away_an_allocation_ends_at_once_and_its_files_follow_later(tmp_path: Path) -> None:
    store = MemoryStore()
    async with standing(store, tmp_path) as worker:
        worker.left("a1", **{"before.txt": b"stored in time"})
        worker.artifacts.collect("a1", ABOUT)
        await eventually(lambda: list(store.artifacts) == ["w1/0/before.txt"], deadline=30, what="the first file")
        await worker.artifacts.settle(5)
        store.away = True
        worker.left("a1", **{"after.txt": b"late"})
        asked = store.asked
        assert await worker.end("a1") == ["w1/0/after.txt"]
        assert store.asked == asked + 1
        worker.left("a2", **{"second.txt": b"late, too"})
        assert await worker.end("a2") == ["w1/0/second.txt"]
        assert store.asked == asked + 1, "a store that was away a moment ago was asked again"
        store.away = False
        async with worker.sending():
            await eventually(lambda: not worker.waiting(), deadline=30, what="the files that waited")

    assert sorted(store.artifacts) == ["w1/0/after.txt", "w1/0/before.txt", "w1/0/second.txt"]


@pytest.mark.parametrize("silent", ["taking", "answering"])
async def test_a_store_that_falls_silent_holds_up_no_allocation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: str
) -> None:
    monkeypatch.setattr(sending, "_PIECE_SECONDS", 1.0)
    monkeypatch.setattr(sending, "_ANSWER_SECONDS", 1.0)
    store = MemoryStore()
    async with standing(store, tmp_path) as worker:
        getattr(store, silent).clear()
        worker.left("a1", **{"model.bin": b"x" * 1_900_000})
        assert await worker.end("a1") == ["w1/0/model.bin"]
        getattr(store, silent).set()
        async with worker.sending():
            await eventually(lambda: not worker.waiting(), deadline=20, what="the file that waited")

    assert list(store.artifacts) == ["w1/0/model.bin"]


async def test_a_file_that_was_cut_off_with_its_session_is_sent_in_the_next(tmp_path: Path) -> None:
    store = MemoryStore()
    async with serving(ServiceDefinition("coordinator", servicers(store))) as served:
        channels: list[grpc.aio.Channel] = [open_channel(served.address), served.channel]
        worker = Worker(tmp_path, lambda: channels[0])
        store.taking.clear()
        worker.left("a1", **{"model.bin": b"x" * 1_900_000})
        ending = asyncio.ensure_future(worker.end("a1"))
        await eventually(lambda: store.begun, deadline=20, what="the upload")
        store.taking.set()
        await channels.pop(0).close()
        assert await ending == []

    assert list(store.artifacts) == ["w1/0/model.bin"]


async def test_a_session_that_ended_between_two_calls_holds_up_no_allocation(tmp_path: Path) -> None:
    store = MemoryStore()
    async with serving(ServiceDefinition("coordinator", servicers(store))) as served:
        closed = open_channel(served.address)
        await closed.close()
        given = iter([closed, closed])
        worker = Worker(tmp_path, lambda: next(given, served.channel))
        worker.left("a1", **{"model.bin": b"x"})
        assert await worker.end("a1") == []

    assert list(store.artifacts) == ["w1/0/model.bin"]


async def test_what_waits_outlives_the_agent_however_it_ended(tmp_path: Path) -> None:
    store = MemoryStore()
    store.away = True
    async with standing(store, tmp_path) as worker:
        worker.left("a1", **{"kept.txt": b"was kept at the end"})
        await worker.end("a1")
        worker.left("a2", **{"running.txt": b"its allocation had not ended"})
    store.away = False
    async with standing(store, tmp_path) as successor:
        await asyncio.to_thread(sweep, tmp_path, [tmp_path / "late"], successor.late.keep)
        assert not (tmp_path / "a2").exists()
        async with successor.sending():
            await eventually(lambda: not successor.waiting(), deadline=30, what="the files that waited")

    assert sorted(store.artifacts) == ["w1/0/kept.txt", "w1/0/running.txt"]


async def test_what_waits_is_bounded_and_the_oldest_goes_first(tmp_path: Path) -> None:
    store = MemoryStore()
    store.away = True
    async with standing(store, tmp_path) as worker:
        for number in range(4):
            worker.left(f"a{number}", **{"large.bin": b"x" * 900_000})
            await worker.end(f"a{number}")

        assert worker.waiting() == ["a2", "a3"]


async def test_files_of_a_run_that_is_not_there_any_more_hold_up_nothing(tmp_path: Path) -> None:
    store = MemoryStore()
    store.away = True
    async with standing(store, tmp_path) as worker:
        worker.left("a1", **{"old.txt": b"nobody wants it"})
        await worker.end("a1")
        worker.left("a2", **{"new.txt": b"wanted"})
        About("run-2", "default", (0,), "").write_to(tmp_path / "a2")
        await worker.end("a2")
        store.away, store.gone = False, {"run-1"}
        async with worker.sending():
            await eventually(lambda: not worker.waiting(), deadline=30, what="the files that waited")

    assert [(one.run_id, one.name) for one in store.artifacts.values()] == [("run-2", "w1/0/new.txt")]
