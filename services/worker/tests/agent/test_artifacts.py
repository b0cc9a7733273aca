"""Files that cases leave: all of them are kept, whatever becomes of one."""

from __future__ import annotations

from pathlib import Path

from crossfleet.foundation.serve import ServiceDefinition
from crossfleet.foundation.testing import serving
from crossfleet.foundation.wait import eventually
from crossfleet.worker.about import About
from crossfleet.worker.artifacts import Artifacts
from services.worker.tests.agent.store import MemoryStore, servicers

ABOUT = About("run-1", "default", (0,), "")


async def test_more_files_than_one_call_names_are_all_kept(tmp_path: Path) -> None:
    left = tmp_path / "a1" / "artifacts" / "0"
    left.mkdir(parents=True)
    for number in range(1_100):
        (left / f"{number}.txt").write_text("the same")
    store = MemoryStore()
    async with serving(ServiceDefinition("coordinator", servicers(store))) as served:
        artifacts = Artifacts("w1", lambda name: tmp_path / name, lambda: served.channel, most_bytes=1000)
        artifacts.end("a1", ABOUT, then=lambda: None)
        await eventually(lambda: not (tmp_path / "a1").exists(), deadline=20.0, what="the end of the allocation")

    assert len(store.artifacts) == 1_100


async def test_a_file_that_is_too_large_does_not_take_the_others_with_it(tmp_path: Path) -> None:
    left = tmp_path / "a1" / "artifacts" / "0"
    left.mkdir(parents=True)
    (left / "large.bin").write_bytes(b"x" * 2_000)
    (left / "good.txt").write_text("kept")
    (left / "link").symlink_to("/etc/hostname")
    store = MemoryStore()
    async with serving(ServiceDefinition("coordinator", servicers(store))) as served:
        artifacts = Artifacts("w1", lambda name: tmp_path / name, lambda: served.channel, most_bytes=1000)
        artifacts.end("a1", ABOUT, then=lambda: None)
        await eventually(lambda: not (tmp_path / "a1").exists(), deadline=20.0, what="the end of the allocation")

    assert list(store.artifacts) == ["w1/0/good.txt"]


async def test_an_allocation_is_given_back_once_and_only_when_its_files_are_in_the_run(tmp_path: Path) -> None:
    left = tmp_path / "a1" / "artifacts" / "0"
    left.mkdir(parents=True)
    (left / "model.bin").write_bytes(b"x" * 3_000_000)
    store = MemoryStore()
    stored_at_end: list[list[str]] = []
    async with serving(ServiceDefinition("coordinator", servicers(store))) as served:
        artifacts = Artifacts("w1", lambda name: tmp_path / name, lambda: served.channel, most_bytes=10_000_000)
        artifacts.collect("a1", ABOUT)
        for _ in range(2):
            artifacts.end("a1", ABOUT, then=lambda: stored_at_end.append(list(store.artifacts)))
        await eventually(lambda: not (tmp_path / "a1").exists(), deadline=20.0, what="the end of the allocation")

    assert stored_at_end == [["w1/0/model.bin"]]
