"""Blobs and artifacts: upload by digest that goes on where it broke off, download, lists."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc

from crossfleet.api.coordinator.v1 import artifact_service_pb2 as wire
from crossfleet.api.coordinator.v1.artifact_service_pb2_grpc import ArtifactServiceStub
from crossfleet.client.connection import Connection
from crossfleet.client.paging import all_items
from crossfleet.foundation.errors import CrossfleetError, DigestMismatch

PIECE_BYTES = 1024 * 1024
_DIGESTS_A_CALL = 10_000
_PASSING = frozenset(("UPLOAD_OFFSET_MISMATCH", "ARTIFACT_STORE_UNAVAILABLE"))


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes under their SHA-256, in a file or in memory."""

    digest: str
    size_bytes: int
    path: Path | None = None
    content: bytes = b""

    @staticmethod
    def of_file(digest: str, path: Path) -> Blob:
        """A file whose digest is known."""
        return Blob(digest, path.stat().st_size, path)

    @staticmethod
    def of_bytes(content: bytes, digest: str = "") -> Blob:
        """Bytes in memory."""
        return Blob(digest or hashlib.sha256(content).hexdigest(), len(content), None, content)

    def pieces(self, offset: int) -> Iterable[wire.UploadBlobRequest]:
        """The messages that carry it from `offset` on; an empty blob is one message without content."""
        at, first = offset, True
        file = self.path.open("rb") if self.path else None
        try:
            if file:
                file.seek(offset)
            while first or at < self.size_bytes:
                piece = file.read(PIECE_BYTES) if file else self.content[at : at + PIECE_BYTES]
                if not piece and at < self.size_bytes:
                    return  # the file became shorter: the fleet refuses the digest and says so
                yield wire.UploadBlobRequest(
                    digest=self.digest if first else "",
                    size_bytes=self.size_bytes if first else 0,
                    offset=at,
                    content=piece,
                )
                at, first = at + len(piece), False
        finally:
            if file:
                file.close()


class ArtifactCalls:
    """The ArtifactService of a fleet. Every method raises the CrossfleetError that the fleet answers."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = ArtifactServiceStub(connection.channel)

    async def missing(self, digests: Sequence[str]) -> list[str]:
        """Those of `digests` that the fleet does not have."""
        found: list[str] = []
        for start in range(0, len(digests), _DIGESTS_A_CALL):
            request = wire.FindMissingBlobsRequest(digests=digests[start : start + _DIGESTS_A_CALL])
            answer = await self._connection.call(
                lambda limit, request=request: self._stub.FindMissingBlobs(request, timeout=limit)  # type: ignore[misc]
            )
            found += answer.missing
        return found

    async def upload(self, blobs: Sequence[Blob]) -> int:
        """Stores those blobs that the fleet lacks; answers their bytes. A broken upload goes on where it stopped."""
        by_digest = {blob.digest: blob for blob in blobs}
        wanted = await self.missing(list(by_digest))
        sent = sum(by_digest[digest].size_bytes for digest in wanted)
        offset = 0
        pursuit = self._connection.pursuit(passing=_PASSING)
        while wanted:
            try:
                await pursuit.begin()
                await self._send([by_digest[digest] for digest in wanted], offset)
                break
            except (grpc.RpcError, CrossfleetError) as failure:
                await pursuit.after(failure)
            before = len(wanted), offset
            wanted = await self.missing(wanted)
            offset = await self._offset(wanted[0]) if wanted else 0
            if (len(wanted), offset) != before:
                pursuit.advanced()
        return sent

    async def _send(self, blobs: Sequence[Blob], offset: int) -> None:
        async def messages() -> AsyncIterator[wire.UploadBlobRequest]:
            for index, blob in enumerate(blobs):
                for message in blob.pieces(offset if index == 0 else 0):
                    yield message

        await self._stub.UploadBlob(messages())

    async def _offset(self, digest: str) -> int:
        request = wire.GetUploadRequest(digest=digest)
        answer = await self._connection.call(lambda limit: self._stub.GetUpload(request, timeout=limit))
        return 0 if answer.complete else answer.committed_bytes

    async def download(self, digest: str) -> AsyncIterator[bytes]:
        """The bytes of a blob, in pieces; goes on where it broke off.

        Raises BlobNotFound, and DigestMismatch where what came is not the blob.
        """
        seen, offset = hashlib.sha256(), 0
        pursuit = self._connection.pursuit()
        while True:
            try:
                await pursuit.begin()
                async for piece in self._stub.DownloadBlob(wire.DownloadBlobRequest(digest=digest, offset=offset)):
                    pursuit.advanced()
                    seen.update(piece.content)
                    offset += len(piece.content)
                    yield piece.content
                break
            except (grpc.RpcError, CrossfleetError) as failure:
                await pursuit.after(failure)
        if seen.hexdigest() != digest:
            raise DigestMismatch("the bytes received are not those asked for", expected=digest, actual=seen.hexdigest())

    def list(self, run_id: str) -> AsyncIterator[wire.Artifact]:
        """The artifacts of a run, by target and name."""

        async def fetch(token: str) -> tuple[Iterable[wire.Artifact], str]:
            request = wire.ListArtifactsRequest(run_id=run_id, page_size=1000, page_token=token)
            answer = await self._connection.call(lambda limit: self._stub.ListArtifacts(request, timeout=limit))
            return answer.artifacts, answer.next_page_token

        return all_items(fetch)

    async def waiting(self, run_id: str) -> Sequence[wire.WaitingArtifact]:
        """Artifacts of a run that workers keep until they can be stored, by target and name; at most 1,000."""
        request = wire.ListArtifactsRequest(run_id=run_id, page_size=1)
        answer = await self._connection.call(lambda limit: self._stub.ListArtifacts(request, timeout=limit))
        return answer.waiting

    async def attach(self, artifacts: Sequence[wire.Artifact]) -> None:
        """Names uploaded blobs as artifacts of runs."""
        request = wire.AttachArtifactRequest(artifacts=artifacts)
        await self._connection.call(lambda limit: self._stub.AttachArtifact(request, timeout=limit))
