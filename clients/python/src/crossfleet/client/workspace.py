"""A folder made ready to be sent: its manifest, and where the bytes of each digest lie."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from crossfleet.api.types.v1 import suite_pb2
from crossfleet.client.artifacts import ArtifactCalls, Blob
from crossfleet.client.listing import commit_of, list_files
from crossfleet.client.manifest import canonical, entry_of
from crossfleet.foundation.errors import BlobTooLarge

LARGEST_FILE_BYTES = 2 * 1024**3
"""Files over this size are refused: they belong into an artifact store or a cache of the workers."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A packed folder. `digest` names the manifest; equal trees have equal digests, whatever their commit."""

    root: Path
    digest: str
    manifest: bytes
    commit: str
    files: dict[str, Path]
    size_bytes: int

    async def upload(self, artifacts: ArtifactCalls) -> int:
        """Sends what the fleet lacks, the manifest last; answers the bytes sent. Raises the fleet's error."""
        blobs = [Blob.of_file(digest, path) for digest, path in self.files.items()]
        sent = await artifacts.upload(blobs)
        return sent + await artifacts.upload([Blob.of_bytes(self.manifest, self.digest)])

    def as_message(self, *, isolated: bool = False) -> suite_pb2.Workspace:
        """How a RunSpec names it."""
        return suite_pb2.Workspace(manifest_digest=self.digest, commit=self.commit, isolated=isolated)


def pack(root: Path) -> Workspace:
    """Reads a folder's files (see `list_files`) and digests them.

    Deleted files are left out, links are kept as links. Raises WorkspaceNotFound, ManifestInvalid, BlobTooLarge.
    """
    entries: list[suite_pb2.ManifestEntry] = []
    files: dict[str, Path] = {}
    for relative in list_files(root):
        path = root / relative
        if not path.is_symlink() and path.is_file() and (size := path.stat().st_size) > LARGEST_FILE_BYTES:
            raise BlobTooLarge(
                f"{relative} has {size:,} bytes, more than a workspace may hold in one file: add it to .gitignore",
                limit_bytes=LARGEST_FILE_BYTES,
                size_bytes=size,
            )
        entry = entry_of(root, relative)
        if entry is None:
            continue
        entries.append(entry)
        if entry.digest:
            files[entry.digest] = path
    content, digest = canonical(entries)
    return Workspace(root, digest, content, commit_of(root), files, sum(entry.size_bytes for entry in entries))


async def pack_and_upload(root: Path, artifacts: ArtifactCalls) -> Workspace:
    """Packs a folder off the event loop and uploads what the fleet lacks."""
    workspace = await asyncio.to_thread(pack, root)
    await workspace.upload(artifacts)
    return workspace
