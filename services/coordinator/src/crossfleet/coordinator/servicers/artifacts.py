"""ArtifactService: blobs by digest, and what of them belongs to which run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc

from crossfleet.api.coordinator.v1 import artifact_service_pb2 as artifact_pb2
from crossfleet.api.coordinator.v1 import artifact_service_pb2_grpc as artifact_grpc
from crossfleet.coordinator.artifacts.blobs import PIECE_BYTES, BlobStore, is_digest
from crossfleet.coordinator.artifacts.manifests import is_relative
from crossfleet.coordinator.artifacts.uploads import Upload, Uploads
from crossfleet.coordinator.convert.checks import Checks
from crossfleet.coordinator.core.artifact import ArtifactRef, AttachArtifacts
from crossfleet.coordinator.lookup import Lookup
from crossfleet.coordinator.servicers.pages import decode, encode, page_size
from crossfleet.foundation.draining import Draining
from crossfleet.foundation.errors import BlobsMissing, FieldViolation, InvalidArgument, Unavailable
from crossfleet.foundation.errors import Draining as DrainingError
from crossfleet.foundation.wait import flowing

_MOST_DIGESTS = 10_000
_MOST_ARTIFACTS = 1_000
# A piece takes a slow line a minute. Who falls silent for longer keeps the blob from others that send it.
_SILENT_SECONDS = 120.0


class ArtifactServicer(artifact_grpc.ArtifactServiceServicer):
    """Nothing is half-stored: a blob is there whole, with its digest checked, or not at all."""

    def __init__(self, blobs: BlobStore, uploads: Uploads, lookup: Lookup, draining: Draining) -> None:
        """Stores into `blobs` through `uploads`; artifacts are attached by command."""
        self._blobs = blobs
        self._uploads = uploads
        self._lookup = lookup
        self._draining = draining

    async def FindMissingBlobs(
        self, request: artifact_pb2.FindMissingBlobsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> artifact_pb2.FindMissingBlobsResponse:
        """Which digests have to be uploaded."""
        checks = Checks()
        checks.require(len(request.digests) <= _MOST_DIGESTS, "digests", f"at most {_MOST_DIGESTS}")
        for index, digest in enumerate(request.digests):
            checks.require(is_digest(digest), f"digests[{index}]", "64 lower-case hexadecimal digits")
        checks.finish("the request")
        return artifact_pb2.FindMissingBlobsResponse(missing=await self._blobs.missing(request.digests))

    async def UploadBlob(
        self, requests: AsyncIterator[artifact_pb2.UploadBlobRequest], context: grpc.aio.ServicerContext[Any, Any]
    ) -> artifact_pb2.UploadBlobResponse:
        """Stores blobs one after another. Raises DigestMismatch, UploadOffsetMismatch, BlobTooLarge, DiskFull, InvalidArgument, and
        Unavailable or Draining where the rest is to be sent again."""
        stored: list[str] = []
        received = 0
        upload: Upload | None = None
        try:
            silent = Unavailable(f"nothing has come for {_SILENT_SECONDS:g} s: send what is missing again")
            async for request in flowing(self._draining.until(requests), _SILENT_SECONDS, silent):
                if upload is None or (request.digest and request.digest != upload.digest):
                    if upload is not None:
                        raise _incomplete(upload)
                    upload = await self._begin(request)
                if len(request.content) > PIECE_BYTES:
                    raise InvalidArgument(
                        "a piece is too long", fields=[FieldViolation("content", f"at most {PIECE_BYTES} bytes")]
                    )
                upload.add(request.offset, request.content)
                received += len(request.content)
                if upload.complete:
                    await upload.finish()
                    stored.append(upload.digest)
                    upload = None
            if self._draining.begun:
                raise DrainingError("the coordinator is going down", service="coordinator", retry_after=1.0)
            if upload is not None:
                raise _incomplete(upload)
        finally:
            if upload is not None:
                upload.close()
        await self._blobs.settle(stored)
        return artifact_pb2.UploadBlobResponse(blobs=len(stored), received_bytes=received)

    async def _begin(self, request: artifact_pb2.UploadBlobRequest) -> Upload:
        checks = Checks()
        checks.require(
            is_digest(request.digest), "digest", "the SHA-256 of the blob that begins, 64 lower-case hexadecimal digits"
        )
        checks.require(request.size_bytes >= 0, "size_bytes", "the size of the whole blob")
        checks.finish("the upload")
        return await self._uploads.begin(request.digest, request.size_bytes, request.offset)

    async def GetUpload(
        self, request: artifact_pb2.GetUploadRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> artifact_pb2.GetUploadResponse:
        """Where a broken upload goes on."""
        _check_digest(request.digest)
        arrived, complete = await self._uploads.arrived(request.digest)
        return artifact_pb2.GetUploadResponse(committed_bytes=arrived, complete=complete)

    async def DownloadBlob(
        self, request: artifact_pb2.DownloadBlobRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[artifact_pb2.DownloadBlobResponse]:
        """A blob, or a range of it, in pieces. Raises BlobNotFound."""
        _check_digest(request.digest)
        checks = Checks()
        checks.require(request.offset >= 0, "offset", "0 or more")
        checks.require(request.limit >= 0, "limit", "0 or more")
        checks.finish("the download")
        async for piece in self._blobs.read(request.digest, request.offset, request.limit):
            yield artifact_pb2.DownloadBlobResponse(content=piece)

    async def AttachArtifact(
        self, request: artifact_pb2.AttachArtifactRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> artifact_pb2.AttachArtifactResponse:
        """Names uploaded blobs as artifacts. Raises BlobsMissing, RunNotFound, InvalidArgument."""
        checks = Checks()
        checks.require(0 < len(request.artifacts) <= _MOST_ARTIFACTS, "artifacts", f"1 to {_MOST_ARTIFACTS}")
        for index, artifact in enumerate(request.artifacts):
            path = f"artifacts[{index}]"
            checks.require(bool(artifact.run_id), f"{path}.run_id", "a run")
            checks.require(0 < len(artifact.name.encode()) <= 1000, f"{path}.name", "1 to 1,000 bytes")
            checks.require(is_relative(artifact.name), f"{path}.name", "a relative path without '.', '..' and NUL")
            if artifact.target:
                checks.name(artifact.target, f"{path}.target")
            checks.require(is_digest(artifact.digest), f"{path}.digest", "64 lower-case hexadecimal digits")
        checks.finish("the artifacts")
        missing = await self._blobs.missing(dict.fromkeys(artifact.digest for artifact in request.artifacts))
        if missing:
            raise BlobsMissing(
                f"{len(missing)} blobs were not uploaded", digests=",".join(missing[:20]), count=len(missing)
            )
        by_run: dict[str, list[ArtifactRef]] = {}
        for artifact in request.artifacts:
            size = await self._blobs.size(artifact.digest)
            by_run.setdefault(artifact.run_id, []).append(_reference(artifact, size))
        for run_id in by_run:
            await self._lookup.check(run_id)
        for run_id, references in by_run.items():
            await self._lookup.commit(AttachArtifacts(run_id, tuple(references)))
        return artifact_pb2.AttachArtifactResponse()

    async def ListArtifacts(
        self, request: artifact_pb2.ListArtifactsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> artifact_pb2.ListArtifactsResponse:
        """The artifacts of a run by target and name. Raises RunNotFound, PageTokenInvalid."""
        size = page_size(request.page_size, 100, 1000)
        after = decode(request.page_token, (str, str), "artifacts", request.run_id)
        await self._lookup.check(request.run_id)
        found = await self._lookup.artifacts(request.run_id, after=tuple(after) if after else None, limit=size + 1)
        token = (
            encode([found[size - 1].target, found[size - 1].name], "artifacts", request.run_id)
            if len(found) > size
            else ""
        )
        waiting = await self._lookup.waiting_artifacts(request.run_id, _MOST_ARTIFACTS) if after is None else ()
        return artifact_pb2.ListArtifactsResponse(artifacts=found[:size], next_page_token=token, waiting=waiting)


def _check_digest(digest: str) -> None:
    if not is_digest(digest):
        raise InvalidArgument("not a digest", fields=[FieldViolation("digest", "64 lower-case hexadecimal digits")])


def _incomplete(upload: Upload) -> InvalidArgument:
    return InvalidArgument(
        f"blob {upload.digest} ended after {upload.received} bytes",
        fields=[FieldViolation("content", "as many bytes as announced")],
    )


def _reference(artifact: artifact_pb2.Artifact, size: int) -> ArtifactRef:
    return ArtifactRef(artifact.target, artifact.name, artifact.digest, size, artifact.media_type, artifact.case_id)
