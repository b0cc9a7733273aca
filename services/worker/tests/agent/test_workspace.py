"""Workspaces that are fetched by digest, and what is refused of them."""

from __future__ import annotations

import hashlib

import pytest

from crossfleet.api.types.v1 import result_pb2, suite_pb2
from crossfleet.foundation.errors import ManifestInvalid
from crossfleet.worker.manifest import read_manifest
from services.worker.tests.agent.stage import Stage, staged

CASE = b"import pathlib\n\ndef test_reads_its_neighbour():\n    here = pathlib.Path(__file__).parent\n    assert (here / 'data' / 'x.txt').read_text() == 'neighbour'\n    assert (here / 'link.txt').read_text() == 'neighbour'\n"


def _pack(stage: Stage, **more: str) -> suite_pb2.Workspace:
    entries = [
        suite_pb2.ManifestEntry(path="data/x.txt", digest=stage.store.add(b"neighbour"), size_bytes=9),
        suite_pb2.ManifestEntry(path="link.txt", symlink="data/x.txt"),
        suite_pb2.ManifestEntry(path="test_w.py", digest=stage.store.add(CASE), size_bytes=len(CASE)),
    ]
    entries += [suite_pb2.ManifestEntry(path=path, symlink=target) for path, target in more.items()]
    manifest = suite_pb2.Manifest(entries=sorted(entries, key=lambda entry: entry.path))
    return suite_pb2.Workspace(manifest_digest=stage.store.add(manifest.SerializeToString(deterministic=True)))


async def test_a_packed_workspace_is_fetched_laid_out_and_run() -> None:
    async with staged() as stage:
        await stage.ready(stage.start())
        stage.open(workspace=_pack(stage))
        assert await stage.collected() == ["test_w.py::test_reads_its_neighbour"]
        stage.assign(1, [0])
        await stage.finished(1)
        assert stage.coordinator.results[1, 0].outcome == result_pb2.OUTCOME_PASSED


async def test_what_the_host_has_is_not_fetched_again() -> None:
    async with staged() as stage:
        await stage.ready(stage.start())
        workspace = _pack(stage)
        stage.open("a1", workspace=workspace)
        await stage.collected("a1")
        before = list(stage.store.downloads)
        stage.open("a2", workspace=workspace, slots=[1])
        await stage.collected("a2")
        assert len(before) == 3
        assert stage.store.downloads == before


async def test_what_was_cut_off_with_a_session_is_fetched_in_the_next() -> None:
    async with staged() as stage:
        await stage.ready(stage.start())
        stage.store.giving.clear()
        stage.open(workspace=_pack(stage))
        await stage.until(lambda: stage.store.downloads, "the first of the files")
        stage.coordinator.drop()
        await stage.coordinator.joined(2)
        stage.store.giving.set()

        assert await stage.collected() == ["test_w.py::test_reads_its_neighbour"]


async def test_the_copy_of_an_allocation_is_gone_when_it_has_ended() -> None:
    async with staged() as stage:
        await stage.ready(stage.start())
        stage.open(workspace=_pack(stage))
        await stage.collected()
        place = stage.state / "allocations" / "a1"
        there = (place / "workspace" / "test_w.py").exists()
        stage.close_allocation()
        await stage.allocation_ended()
        await stage.until(lambda: not place.exists(), "the removal of the copy")
        assert there


async def test_bytes_that_do_not_match_their_digest_end_the_allocation_with_the_cause() -> None:
    async with staged() as stage:
        await stage.ready(stage.start())
        workspace = _pack(stage)
        stage.store.blobs[hashlib.sha256(CASE).hexdigest()] = b"other bytes"
        stage.open(workspace=workspace)
        end = await stage.allocation_ended()
        assert end.cause == result_pb2.CAUSE_ENVIRONMENT
        assert "DIGEST_MISMATCH" in end.message


async def test_a_missing_blob_is_named() -> None:
    async with staged() as stage:
        await stage.ready(stage.start())
        stage.open(workspace=suite_pb2.Workspace(manifest_digest="0" * 64))
        end = await stage.allocation_ended()
        assert end.cause == result_pb2.CAUSE_ENVIRONMENT
        assert "BLOB_NOT_FOUND" in end.message


async def test_a_folder_in_place_is_refused_on_a_fleet_of_several_machines() -> None:
    async with staged() as stage:
        stage.suite(test_a="def test_a(): pass\n")
        await stage.ready(stage.start(embedded=False))
        stage.open(environment=suite_pb2.Environment())
        end = await stage.allocation_ended()
        assert "LOCAL_PATH_REFUSED" in end.message


@pytest.mark.parametrize("root", ["../elsewhere", "/etc", "not/there"])
async def test_a_root_outside_of_the_workspace_is_refused(root: str) -> None:
    async with staged() as stage:
        stage.suite(test_a="def test_a(): pass\n")
        await stage.ready(stage.start())
        stage.open(suite=suite_pb2.Suite(name="s", runner="pytest", root=root))
        end = await stage.allocation_ended()
        assert end.cause == result_pb2.CAUSE_COLLECTION
        assert "suite.root" in end.message


DIGEST = "0" * 64


@pytest.mark.parametrize(
    ("entries", "path"),
    [
        ([("../x", "")], "../x"),
        ([("/etc/passwd", "")], "/etc/passwd"),
        ([("a/../../x", "")], "a/../../x"),
        ([("a/./b", "")], "a/./b"),
        ([("", "")], ""),
        ([("a", ""), ("a", "")], "a"),
        ([("l", "/etc")], "l"),
        ([("l", "../x")], "l"),
        ([("d/l", "../../x")], "d/l"),
        ([("l", "."), ("m", "l/../x")], "m"),
        ([("l", "d"), ("l/x", "")], "l/x"),
    ],
)
def test_a_path_that_leaves_the_workspace_is_refused(entries: list[tuple[str, str]], path: str) -> None:
    manifest = suite_pb2.Manifest(
        entries=[
            suite_pb2.ManifestEntry(path=one, symlink=link, digest="" if link else DIGEST) for one, link in entries
        ]
    )
    with pytest.raises(ManifestInvalid) as refused:
        read_manifest(manifest.SerializeToString())
    assert refused.value.metadata["path"] == path


def test_links_that_stay_inside_are_taken() -> None:
    entries = [("d/e/l", "../../f"), ("f", ""), ("m", "d/e")]
    manifest = suite_pb2.Manifest(
        entries=[
            suite_pb2.ManifestEntry(path=one, symlink=link, digest="" if link else DIGEST) for one, link in entries
        ]
    )
    assert [entry.path for entry in read_manifest(manifest.SerializeToString())] == ["d/e/l", "f", "m"]


def test_something_that_is_no_manifest_is_refused() -> None:
    with pytest.raises(ManifestInvalid):
        read_manifest(b"\xff\xff\xff")
