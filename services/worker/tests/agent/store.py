"""The coordinator's artifact and log services over plain dictionaries, with the refusals of the real ones."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

from crossfleet.api.coordinator.v1 import artifact_service_pb2 as artifacts
from crossfleet.api.coordinator.v1 import log_service_pb2 as logs
from crossfleet.api.coordinator.v1.artifact_service_pb2_grpc import (
    ArtifactServiceServicer,
    add_ArtifactServiceServicer_to_server,
)
from crossfleet.api.coordinator.v1.log_service_pb2_grpc import LogServiceServicer, add_LogServiceServicer_to_server
from crossfleet.foundation.errors import ArtifactStoreUnavailable, BlobNotFound, DigestMismatch, RunNotFound


class MemoryStore(ArtifactServiceServicer, LogServiceServicer):
    """Keeps blobs, artifacts and live output. Falls silent where `taking`, `answering` or `giving` is cleared."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.artifacts: dict[str, artifacts.Artifact] = {}
        self.chunks: list[logs.LogChunk] = []
        self.downloads: list[str] = []
        self.away = False
        self.asked = 0
        self.gone: set[str] = set()
        self.begun = 0
        self.taking, self.answering, self.giving = asyncio.Event(), asyncio.Event(), asyncio.Event()
        for gate in (self.taking, self.answering, self.giving):
            gate.set()

    def add(self, content: bytes) -> str:
        """Store bytes; answers their digest."""
        digest = hashlib.sha256(content).hexdigest()
        self.blobs[digest] = content
        return digest

    def output(self) -> str:
        """All live output in one."""
        return b"".join(chunk.content for chunk in self.chunks).decode("utf-8", "replace")

    async def FindMissingBlobs(self, request: Any, context: Any) -> Any:
        """Those that are not there; none while the store is away."""
        self.asked += 1
        if self.away:
            raise ArtifactStoreUnavailable("the store is away", retry_after=1.0)
        return artifacts.FindMissingBlobsResponse(missing=[one for one in request.digests if one not in self.blobs])

    async def UploadBlob(self, request_iterator: AsyncIterator[Any], context: Any) -> Any:
        """One blob."""
        digest, content = "", b""
        self.begun += 1
        await self.taking.wait()
        async for piece in request_iterator:
            digest = digest or piece.digest
            content += piece.content
        await self.answering.wait()
        if self.add(content) != digest:
            raise DigestMismatch("other bytes", expected=digest)
        return artifacts.UploadBlobResponse(blobs=1, received_bytes=len(content))

    async def DownloadBlob(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """In pieces of 64 KiB."""
        self.downloads.append(request.digest)
        if request.digest not in self.blobs:
            raise BlobNotFound(f"no blob {request.digest}", digest=request.digest)
        await self.giving.wait()
        content = self.blobs[request.digest]
        for start in range(0, len(content), 65536):
            yield artifacts.DownloadBlobResponse(content=content[start : start + 65536])

    async def AttachArtifact(self, request: Any, context: Any) -> Any:
        """By name."""
        for artifact in request.artifacts:
            if artifact.run_id in self.gone:
                raise RunNotFound(f"no run {artifact.run_id}", run=artifact.run_id)
            self.artifacts[artifact.name] = artifact
        return artifacts.AttachArtifactResponse()

    async def GetUpload(self, request: Any, context: Any) -> Any:
        """Blobs are whole or not there."""
        return artifacts.GetUploadResponse(complete=request.digest in self.blobs)

    async def ListArtifacts(self, request: Any, context: Any) -> Any:
        """All of them."""
        return artifacts.ListArtifactsResponse(artifacts=list(self.artifacts.values()))

    async def ReadLogs(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """All of it."""
        yield logs.ReadLogsResponse(chunks=self.chunks)

    async def PushLogs(self, request_iterator: AsyncIterator[Any], context: Any) -> Any:
        """All chunks, in order."""
        await self.taking.wait()
        async for request in request_iterator:
            self.chunks.extend(request.chunks)
        return logs.PushLogsResponse(stored_bytes=sum(len(chunk.content) for chunk in self.chunks))


def servicers(store: MemoryStore) -> list[tuple[Any, Any]]:
    """As a service definition takes them."""
    return [(add_ArtifactServiceServicer_to_server, store), (add_LogServiceServicer_to_server, store)]
