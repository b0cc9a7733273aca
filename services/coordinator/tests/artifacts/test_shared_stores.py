"""Artifact stores that several coordinators share: a folder of a file server, and S3."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from crossfleet.api.coordinator.v1 import admin_service_pb2 as admin_pb2
from crossfleet.api.coordinator.v1 import artifact_service_pb2 as artifact_pb2
from crossfleet.client.artifacts import Blob
from crossfleet.coordinator.artifacts.blobs import BlobStore
from crossfleet.coordinator.artifacts.place import place_of
from crossfleet.foundation.errors import (
    ArtifactStoreUnavailable,
    BlobNotFound,
    ConfigurationInvalid,
    FilePermissionsUnsafe,
)
from services.coordinator.tests.running import Running, running
from tests.real.s3 import S3, need_s3

LARGE = os.urandom(7_000_000)  # more than one part of an S3 upload


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    need_s3()
    made = S3(tmp_path_factory.mktemp("s3") / "log")
    made.start()
    made.make_bucket("fleet")
    yield made
    made.kill()


@pytest.fixture(params=["file", "s3"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """The settings that name a store of this test's own."""
    if request.param == "file":
        return {"artifacts": (tmp_path / "shared").as_uri()}
    server: S3 = request.getfixturevalue("server")
    return {
        "artifacts": f"s3://fleet/{tmp_path.name}",
        "artifacts_credentials_file": server.credentials(tmp_path),
    }


async def stored(fleet: Running, *contents: bytes) -> None:
    async def pieces() -> AsyncIterator[artifact_pb2.UploadBlobRequest]:
        for content in contents:
            for piece in Blob.of_bytes(content).pieces(0):
                yield piece

    await fleet.artifacts.UploadBlob(pieces())


async def fetched(fleet: Running, content: bytes) -> bytes:
    request = artifact_pb2.DownloadBlobRequest(digest=digest_of(content))
    return b"".join([piece.content async for piece in fleet.artifacts.DownloadBlob(request)])


async def missing(fleet: Running, *contents: bytes) -> list[str]:
    request = artifact_pb2.FindMissingBlobsRequest(digests=[digest_of(content) for content in contents])
    return list((await fleet.artifacts.FindMissingBlobs(request)).missing)


async def test_what_one_coordinator_stored_another_has(tmp_path: Path, shared: dict[str, Any]) -> None:
    async with running(tmp_path / "a", **shared) as one, running(tmp_path / "b", **shared) as other:
        await stored(one, b"small", LARGE, b"")
        await stored(other, b"small")  # again, as a client does that did not hear the answer

        assert [await fetched(other, content) for content in (b"small", LARGE, b"")] == [b"small", LARGE, b""]
        assert await missing(other, b"small", b"never", LARGE) == [digest_of(b"never")]
        listing = [one.size async for some in other.coordinator.blobs.listed() for one in some]
        assert sorted(listing) == [0, 5, len(LARGE)]
        await other.coordinator.blobs.remove([digest_of(b"small"), digest_of(b"never")])
        assert await missing(one, b"small", LARGE) == [digest_of(b"small")]


async def test_an_upload_that_broke_off_at_one_coordinator_is_carried_out_at_another(
    tmp_path: Path, shared: dict[str, Any]
) -> None:
    async def half() -> AsyncIterator[artifact_pb2.UploadBlobRequest]:
        for piece in list(Blob.of_bytes(LARGE).pieces(0))[:3]:
            yield piece

    async with running(tmp_path / "a", **shared) as one, running(tmp_path / "b", **shared) as other:
        with pytest.raises(Exception, match=r"announced|arrived|complete"):
            await one.artifacts.UploadBlob(half())
        arrived = await one.artifacts.GetUpload(artifact_pb2.GetUploadRequest(digest=digest_of(LARGE)))
        assert arrived.committed_bytes > 0
        # A client that goes on at the other where it stopped at the first is told where that one is.
        there = await other.artifacts.GetUpload(artifact_pb2.GetUploadRequest(digest=digest_of(LARGE)))
        assert (there.committed_bytes, there.complete) == (0, False)
        await stored(other, LARGE)

        assert await fetched(one, LARGE) == LARGE


async def test_a_store_that_is_away_is_named_and_used_again_when_it_is_back(tmp_path: Path) -> None:
    need_s3()
    server = S3(tmp_path / "log")
    place = place_of("s3://fleet/x", tmp_path, server.credentials(tmp_path))
    blobs = BlobStore(place)
    with pytest.raises(ArtifactStoreUnavailable) as away:
        await blobs.put(digest_of(b"x"), b"x")
    server.start()
    try:
        with pytest.raises(ArtifactStoreUnavailable):  # no such bucket
            await blobs.put(digest_of(b"x"), b"x")
        server.make_bucket("fleet")
        await blobs.put(digest_of(b"x"), b"x")
        content = await blobs.get(digest_of(b"x"))
        with pytest.raises(BlobNotFound):
            await blobs.size(digest_of(b"y"))
    finally:
        server.kill()

    assert content == b"x"
    assert "s3://fleet/x" in away.value.message
    assert "very-secret-value" not in f"{away.value.message} {away.value.metadata} {place}"


async def test_what_a_bucket_was_seen_to_have_is_not_asked_for_again_in_every_run(tmp_path: Path) -> None:
    need_s3()
    server = S3(tmp_path / "log")
    server.start()
    server.make_bucket("fleet")
    now = 0.0
    blobs = BlobStore(place_of("s3://fleet/x", tmp_path, server.credentials(tmp_path)), lambda: now)
    await blobs.put(digest_of(b"x"), b"x")
    assert await blobs.missing([digest_of(b"x"), digest_of(b"y")]) == [digest_of(b"y")]
    server.kill()

    assert await blobs.missing([digest_of(b"x")]) == []
    with pytest.raises(ArtifactStoreUnavailable):
        await blobs.missing([digest_of(b"y")])
    now = 3000.0
    with pytest.raises(ArtifactStoreUnavailable):
        await blobs.missing([digest_of(b"x")])


async def test_credentials_come_from_the_environment_where_no_file_is_named(
    tmp_path: Path, server: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "reader")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret-value")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
    blobs = BlobStore(place_of(f"s3://fleet/{tmp_path.name}", tmp_path))
    await blobs.put(digest_of(b"x"), b"x")

    assert await blobs.get(digest_of(b"x")) == b"x"


def test_plain_http_to_another_machine_is_refused_unless_it_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://storage.example:9000")
    with pytest.raises(ConfigurationInvalid) as refused:
        place_of("s3://fleet/x", tmp_path)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")

    assert "is plain HTTP" in str(refused.value.fields)
    assert place_of("s3://fleet/x", tmp_path).shared


async def test_settings_show_the_store_without_its_secrets(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text("[default]\naws_access_key_id = reader\naws_secret_access_key = very-secret-value\n")
    file.chmod(0o600)
    settings: dict[str, Any] = {"artifacts": "s3://fleet/x", "artifacts_credentials_file": str(file)}
    async with running(tmp_path / "a", **settings) as fleet:
        listed = await fleet.admin.ListSettings(admin_pb2.ListSettingsRequest())

    assert "s3://fleet/x" in str(listed)
    assert "very-secret-value" not in str(listed)


@pytest.mark.parametrize(
    ("url", "content", "named"),
    [
        ("ftp://fleet/x", None, "s3://BUCKET/PREFIX"),
        ("s3://", None, "s3://BUCKET/PREFIX"),
        ("/var/artifacts", None, "file:///FOLDER"),
        ("s3://key:secret@fleet/x", None, "no credentials in the URL"),
        ("s3://fleet/x", "aws_access_key_id = oops-secret\n", r"\[default\]"),
        ("s3://fleet/x", "[default]\naws_acess_key = oops-secret\n", "aws_acess_key is none of"),
    ],
)
def test_a_wrong_place_is_refused_with_what_is_allowed_and_without_secrets(
    tmp_path: Path, url: str, content: str | None, named: str
) -> None:
    file = tmp_path / "credentials"
    if content is not None:
        file.write_text(content)
        file.chmod(0o600)
    with pytest.raises(ConfigurationInvalid) as refused:
        place_of(url, tmp_path, str(file) if content else "")

    told = f"{refused.value.message} {refused.value.fields}"
    assert "secret" not in told.replace("aws_secret_access_key", "")
    assert refused.match("the artifact store cannot be used")
    assert re.search(named, told)


def test_credentials_that_others_can_read_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text("[default]\naws_access_key_id = a\n")
    file.chmod(0o644)

    with pytest.raises(FilePermissionsUnsafe, match="chmod 600"):
        place_of("s3://fleet/x", tmp_path, str(file))
