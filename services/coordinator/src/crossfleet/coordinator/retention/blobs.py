"""Removes blobs that no run or schedule needs: marks what these name, and sweeps the rest that has been there long enough."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from google.protobuf.message import DecodeError

from crossfleet.api.types.v1.run_pb2 import RunSpec
from crossfleet.api.types.v1.suite_pb2 import Manifest
from crossfleet.coordinator.artifacts.blobs import BlobStore, Stored
from crossfleet.coordinator.ledger import retention_queries, schedule_queries
from crossfleet.coordinator.ledger.queries import Queries
from crossfleet.coordinator.retention.policy import HOUR, Horizon
from crossfleet.coordinator.retention.rows import Removed
from crossfleet.foundation.errors import BlobNotFound, StorageCorrupt

RECENT_SECONDS = HOUR
"""A client that was told that a blob is there may take so long until it submits the run that names it."""
_PAGE = 500
_FENCED = 100


class BlobRetention:
    """Only of a leader that has led for an hour: before it does not know what clients were told."""

    def __init__(self, queries: Queries, blobs: BlobStore, fence: Callable[[], Awaitable[None]]) -> None:
        """Asks `queries` which blobs are needed. `fence` returns while nobody else leads."""
        self._queries = queries
        self._blobs = blobs
        self._fence = fence

    async def remove(self, horizon: Horizon, removed: Removed, *, dry: bool = False) -> None:
        """Removes, or with `dry` counts, what is not needed. Raises ArtifactStoreUnavailable, and what the fence raises."""
        if not dry and not self._blobs.recent.certain(RECENT_SECONDS):
            return
        async for some in self._unneeded(horizon, dry=dry):
            for start in range(0, len(some), _FENCED):
                piece = some[start : start + _FENCED]
                if not dry:
                    await self._fence()  # another leader may have told a client that one of them is there
                    await self._blobs.remove([one.digest for one in piece])
                removed.blobs += len(piece)
                removed.blob_bytes += sum(one.size for one in piece)

    async def _unneeded(self, horizon: Horizon, *, dry: bool) -> AsyncIterator[list[Stored]]:
        needed: set[bytes] | None = None
        named = self._blobs.recent
        began = named.now()
        async for some in self._blobs.listed():
            old = [one for one in some if one.at < horizon.uploads_before]
            if not old:
                continue
            if needed is None:
                needed = await self._needed(horizon)
            # What was committed since the marks were made was named since then, or within the hour before.
            window = RECENT_SECONDS + named.now() - began
            if not dry and not named.certain(window):
                return
            found = [
                one for one in old if bytes.fromhex(one.digest) not in needed and not named.has(one.digest, window)
            ]
            if found:
                yield found

    async def _needed(self, horizon: Horizon) -> set[bytes]:
        needed: set[bytes] = set()
        after = ""
        while digests := await self._queries.ask(retention_queries.artifact_digests, after, _PAGE):
            needed.update(map(bytes.fromhex, digests))
            after = digests[-1]
        manifests: set[str] = set()
        after = ""
        while specs := await self._queries.ask(retention_queries.kept_specs, horizon.artifacts_before, after, _PAGE):
            named, more = await asyncio.to_thread(_named, [content for _, content in specs])
            manifests |= named
            needed |= more
            after = specs[-1][0]
        named, more = await asyncio.to_thread(_named, await self._queries.ask(schedule_queries.schedule_specs))
        manifests |= named
        needed |= more
        for digest in manifests:
            needed.add(bytes.fromhex(digest))
            needed.update(await self._files(digest))
        return needed

    async def _files(self, digest: str) -> set[bytes]:
        try:
            return await asyncio.to_thread(_of_manifest, await self._blobs.get(digest))
        except (BlobNotFound, StorageCorrupt, DecodeError):
            return set()


def _named(specs: list[bytes]) -> tuple[set[str], set[bytes]]:
    """The manifests of specs, and the other blobs that they name. Some have a million cases: not on the loop."""
    manifests, others = set(), set()
    for content in specs:
        spec = RunSpec.FromString(content)
        manifests.add(spec.workspace.manifest_digest)
        others.add(bytes.fromhex(spec.policy.shard.durations_digest))
    return manifests - {""}, others


def _of_manifest(content: bytes) -> set[bytes]:
    return {bytes.fromhex(entry.digest) for entry in Manifest.FromString(content).entries}
