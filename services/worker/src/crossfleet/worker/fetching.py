"""Fetching a workspace by its digest, and laying it out from the host's content cache."""

from __future__ import annotations

import asyncio
import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import grpc

from crossfleet.api.coordinator.v1.artifact_service_pb2 import DownloadBlobRequest
from crossfleet.api.coordinator.v1.artifact_service_pb2_grpc import ArtifactServiceStub
from crossfleet.api.types.v1.suite_pb2 import ManifestEntry
from crossfleet.foundation.errors.load import DeadlineExceeded, Unavailable
from crossfleet.foundation.errors.status import translated
from crossfleet.foundation.retry import RetryPolicy, retrying
from crossfleet.foundation.wait import flowing
from crossfleet.worker.content import ContentCache
from crossfleet.worker.manifest import read_manifest
from crossfleet.worker.waiting import until

_AT_ONCE = 8
# A large file may take its time: what has a limit is how long nothing of it comes. As many pieces of 1 MiB as files that are
# fetched at once share a line.
_POLICY = RetryPolicy(deadline=math.inf)
_PIECE_SECONDS = 120.0
_SESSION_SECONDS = 30.0


class Fetcher:
    """Downloads what the cache lacks, then copies the tree out of it."""

    def __init__(self, cache: ContentCache, channel: Callable[[], grpc.aio.Channel | None]) -> None:
        """`channel` answers the present connection to the coordinator, None while there is none."""
        self._cache = cache
        self._channel = channel

    async def lay_out(self, manifest_digest: str, place: Path, say: Callable[[str], None]) -> None:
        """Make `place` the tree of that manifest.

        Raises ManifestInvalid, DigestMismatch, BlobNotFound, DiskFull, Unavailable, DeadlineExceeded.
        """
        await self._have([manifest_digest])
        entries = read_manifest(await asyncio.to_thread(self._cache.path(manifest_digest).read_bytes))
        wanted = sorted({entry.digest for entry in entries if not entry.symlink})
        missing = [digest for digest in wanted if not self._cache.has(digest)]
        if missing:
            say(f"fetching {len(missing)} of {len(wanted)} files")
            await self._have(missing)
        await asyncio.to_thread(self._copy_out, entries, place)

    async def _have(self, digests: Sequence[str]) -> None:
        room = asyncio.Semaphore(_AT_ONCE)

        async def one(digest: str) -> None:
            async with room:
                await retrying(lambda: self._download(digest), policy=_POLICY)

        tasks = [asyncio.ensure_future(one(digest)) for digest in digests if not self._cache.has(digest)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _download(self, digest: str) -> None:
        await until(lambda: self._channel() is not None, _SESSION_SECONDS)
        channel = self._channel()
        if channel is None:
            raise Unavailable("no connection to the coordinator")
        with translated(), self._cache.receive(digest) as receiving:
            call = ArtifactServiceStub(channel).DownloadBlob(DownloadBlobRequest(digest=digest))
            silent = DeadlineExceeded(f"nothing has come for {_PIECE_SECONDS:g} s")
            async for response in flowing(call, _PIECE_SECONDS, silent):
                receiving.write(response.content)

    def _copy_out(self, entries: Sequence[ManifestEntry], place: Path) -> None:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        made = {place}
        for entry in entries:
            target = place / entry.path
            if target.parent not in made:
                target.parent.mkdir(parents=True, exist_ok=True)
                made.add(target.parent)
            if entry.symlink:
                target.symlink_to(entry.symlink)
            else:
                self._cache.copy(entry.digest, target, executable=entry.executable)
