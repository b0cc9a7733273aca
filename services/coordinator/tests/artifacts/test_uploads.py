from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from crossfleet.api.coordinator.v1 import artifact_service_pb2 as artifact_pb2
from crossfleet.api.types.v1 import run_pb2, suite_pb2
from crossfleet.coordinator.artifacts.blobs import BlobStore
from crossfleet.coordinator.artifacts.place import Place
from crossfleet.coordinator.artifacts.uploads import Upload, Uploads
from crossfleet.coordinator.servicers import artifacts as servicer
from crossfleet.foundation.errors import (
    BlobsMissing,
    BlobTooLarge,
    CrossfleetError,
    DigestMismatch,
    DiskFull,
    ManifestInvalid,
    StorageCorrupt,
    Unavailable,
    UploadOffsetMismatch,
)
from crossfleet.foundation.errors.status import error_from_rpc
from crossfleet.foundation.wait import eventually
from services.coordinator.tests.running import Running, noop, running

Piece = artifact_pb2.UploadBlobRequest


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def upload(fleet: Running, *pieces: artifact_pb2.UploadBlobRequest) -> artifact_pb2.UploadBlobResponse:
    async def sent() -> AsyncIterator[artifact_pb2.UploadBlobRequest]:
        for piece in pieces:
            yield piece

    return await fleet.artifacts.UploadBlob(sent())


def whole(content: bytes) -> artifact_pb2.UploadBlobRequest:
    return Piece(digest=digest_of(content), size_bytes=len(content), content=content)


async def download(fleet: Running, digest: str, **part: int) -> bytes:
    request = artifact_pb2.DownloadBlobRequest(digest=digest, **part)
    return b"".join([response.content async for response in fleet.artifacts.DownloadBlob(request)])


async def refused(call) -> CrossfleetError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return error_from_rpc(caught.value)


async def test_blobs_come_back_as_they_were_sent_whole_and_in_part(tmp_path: Path) -> None:
    small, large = b"small", os.urandom(2_500_000)
    pieces = [
        Piece(digest=digest_of(large), size_bytes=len(large), offset=at, content=large[at : at + 1_000_000])
        for at in range(0, len(large), 1_000_000)
    ]
    async with running(tmp_path) as fleet:
        answer = await upload(fleet, whole(small), *pieces, whole(b""))

        assert (answer.blobs, answer.received_bytes) == (3, len(small) + len(large))
        assert await download(fleet, digest_of(small)) == small
        assert await download(fleet, digest_of(large)) == large
        assert await download(fleet, digest_of(large), offset=10, limit=5) == large[10:15]
        assert await download(fleet, digest_of(b"")) == b""
        missing = await fleet.artifacts.FindMissingBlobs(
            artifact_pb2.FindMissingBlobsRequest(digests=[digest_of(small), "0" * 64, digest_of(large)])
        )
        assert list(missing.missing) == ["0" * 64]


async def test_a_broken_upload_goes_on_where_it_was_cut(tmp_path: Path) -> None:
    content = os.urandom(1_500_000)
    digest, size = digest_of(content), len(content)
    async with running(tmp_path) as fleet:
        cut = await refused(upload(fleet, Piece(digest=digest, size_bytes=size, content=content[:900_000])))
        arrived = await fleet.artifacts.GetUpload(artifact_pb2.GetUploadRequest(digest=digest))
        wrong = await refused(upload(fleet, Piece(digest=digest, size_bytes=size, offset=5, content=content[5:10])))
        rest = Piece(digest=digest, size_bytes=size, offset=900_000, content=content[900_000:])
        await upload(fleet, rest)
        done = await fleet.artifacts.GetUpload(artifact_pb2.GetUploadRequest(digest=digest))

        assert cut.reason == "INVALID_ARGUMENT"
        assert (arrived.committed_bytes, arrived.complete) == (900_000, False)
        assert isinstance(wrong, UploadOffsetMismatch)
        assert wrong.metadata["offset"] == "900000"
        assert (done.committed_bytes, done.complete) == (size, True)
        assert await download(fleet, digest) == content
    assert not list((tmp_path / "uploads").iterdir())


async def half(content: bytes) -> AsyncIterator[artifact_pb2.UploadBlobRequest]:
    """The first half of an upload, of which nothing more comes."""
    yield Piece(digest=digest_of(content), size_bytes=len(content), content=content[: len(content) // 2])
    await asyncio.Event().wait()


async def arrived(fleet: Running, content: bytes) -> int:
    request = artifact_pb2.GetUploadRequest(digest=digest_of(content))
    return (await fleet.artifacts.GetUpload(request)).committed_bytes


async def test_who_sends_nothing_more_of_a_blob_leaves_it_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servicer, "_SILENT_SECONDS", 0.5)
    content = os.urandom(1_000_000)
    async with running(tmp_path) as fleet:
        silent = await refused(fleet.artifacts.UploadBlob(half(content)))
        at = await arrived(fleet, content)
        await upload(fleet, Piece(digest=digest_of(content), size_bytes=len(content), offset=at, content=content[at:]))

        assert isinstance(silent, Unavailable)
        assert await download(fleet, digest_of(content)) == content


async def test_a_coordinator_that_goes_down_wants_the_rest_of_an_upload_sent_again(tmp_path: Path) -> None:
    content = os.urandom(1_000_000)
    async with running(tmp_path) as fleet:
        ending = asyncio.ensure_future(refused(fleet.artifacts.UploadBlob(half(content))))
        await eventually(lambda: arrived(fleet, content), what="the first half")
        fleet.draining.begin("for a test")

        assert (await ending).reason == "DRAINING"


@pytest.mark.parametrize("length", [10, 1_200_000])
async def test_bytes_that_are_not_those_of_the_digest_are_not_kept(tmp_path: Path, length: int) -> None:
    content = os.urandom(length)
    pieces = [
        Piece(digest="1" * 64, size_bytes=length, offset=at, content=content[at : at + 1_000_000])
        for at in range(0, length, 1_000_000)
    ]
    async with running(tmp_path) as fleet:
        error = await refused(upload(fleet, *pieces))
        state = await fleet.artifacts.GetUpload(artifact_pb2.GetUploadRequest(digest="1" * 64))

    assert isinstance(error, DigestMismatch)
    assert error.metadata["actual"] == digest_of(content)
    assert (state.committed_bytes, state.complete) == (0, False)


async def test_a_blob_over_the_limit_is_refused_before_its_bytes_come(tmp_path: Path) -> None:
    async with running(tmp_path, blob_bytes=1000) as fleet:
        error = await refused(upload(fleet, Piece(digest="1" * 64, size_bytes=1001)))

    assert isinstance(error, BlobTooLarge)
    assert error.metadata["limit_bytes"] == "1000"


async def test_a_full_disk_refuses_the_write_and_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = os.urandom(1_200_000)
    uploads = Uploads(BlobStore(Place.local(tmp_path)), tmp_path / "uploads", 1 << 30)
    upload = await uploads.begin(digest_of(content), len(content), 0)
    upload.add(0, content[:1000])

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(DiskFull) as caught:
        upload.add(1000, content[1000:])

    assert int(caught.value.metadata["needed_bytes"]) > 0
    assert await uploads.arrived(digest_of(content)) == (0, False)


async def test_two_streams_do_not_write_one_blob_at_once(tmp_path: Path) -> None:
    uploads = Uploads(BlobStore(Place.local(tmp_path)), tmp_path / "uploads", 1 << 30)
    begun = await asyncio.gather(*(uploads.begin("1" * 64, 10, 0) for _ in range(2)), return_exceptions=True)
    first = next(one for one in begun if isinstance(one, Upload))
    first.close()

    assert [type(one) for one in begun if one is not first] == [Unavailable]
    assert isinstance(await uploads.begin("1" * 64, 10, 0), Upload)


async def test_a_blob_that_was_damaged_on_disk_is_not_taken_for_what_it_was(tmp_path: Path) -> None:
    blobs = BlobStore(Place.local(tmp_path))
    await blobs.put(digest_of(b"right"), b"right")
    Path(blobs.path(digest_of(b"right"))).write_bytes(b"wrong")

    with pytest.raises(StorageCorrupt):
        await blobs.get(digest_of(b"right"))


def manifest(*entries: suite_pb2.ManifestEntry) -> bytes:
    return suite_pb2.Manifest(entries=entries).SerializeToString(deterministic=True)


async def test_a_run_needs_every_file_of_its_manifest(tmp_path: Path) -> None:
    content = b"print()"
    listed = manifest(suite_pb2.ManifestEntry(path="a.py", digest=digest_of(content), size_bytes=len(content)))
    spec = run_pb2.RunSpec(workspace=suite_pb2.Workspace(manifest_digest=digest_of(listed)))
    async with running(tmp_path) as fleet:
        await upload(fleet, whole(listed))
        error = await refused(fleet.submit(spec))
        await upload(fleet, whole(content))
        submitted = await fleet.submit(spec)

    assert isinstance(error, BlobsMissing)
    assert error.metadata["digests"] == digest_of(content)
    assert submitted.run.run_id


@pytest.mark.parametrize(
    "entries",
    [
        [suite_pb2.ManifestEntry(path="../a", digest="0" * 64)],
        [suite_pb2.ManifestEntry(path="/a", digest="0" * 64)],
        [suite_pb2.ManifestEntry(path="a", symlink="../../b")],
        [suite_pb2.ManifestEntry(path="a", symlink="/etc/passwd")],
        [suite_pb2.ManifestEntry(path="a", digest="0" * 64), suite_pb2.ManifestEntry(path="a", digest="0" * 64)],
        [suite_pb2.ManifestEntry(path="a", digest="short")],
    ],
)
async def test_an_unsafe_manifest_is_refused(tmp_path: Path, entries: list[suite_pb2.ManifestEntry]) -> None:
    listed = manifest(*entries)
    spec = run_pb2.RunSpec(workspace=suite_pb2.Workspace(manifest_digest=digest_of(listed)))
    async with running(tmp_path) as fleet:
        await upload(fleet, whole(listed))
        error = await refused(fleet.submit(spec))

    assert isinstance(error, ManifestInvalid)


async def test_artifacts_of_a_run_are_listed_in_pages_by_name(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        run_id = (await fleet.submit(noop(1))).run.run_id
        await upload(fleet, whole(b"x"))
        artifacts = [
            artifact_pb2.Artifact(run_id=run_id, target="default", name=name, digest=digest_of(b"x")) for name in "cab"
        ]
        await fleet.artifacts.AttachArtifact(artifact_pb2.AttachArtifactRequest(artifacts=artifacts))
        names, token = [], ""
        while True:
            request = artifact_pb2.ListArtifactsRequest(run_id=run_id, page_size=2, page_token=token)
            page = await fleet.artifacts.ListArtifacts(request)
            names += [(one.name, one.size_bytes) for one in page.artifacts]
            token = page.next_page_token
            if not token:
                break
        lacking = artifact_pb2.Artifact(run_id=run_id, name="d", digest="2" * 64)
        error = await refused(fleet.artifacts.AttachArtifact(artifact_pb2.AttachArtifactRequest(artifacts=[lacking])))

    assert names == [("a", 1), ("b", 1), ("c", 1)]
    assert isinstance(error, BlobsMissing)
