"""Manifests of workspaces: whether one can be laid out safely, and whether its files are here."""

from __future__ import annotations

from pathlib import PurePosixPath

from google.protobuf.message import DecodeError

from crossfleet.api.types.v1.suite_pb2 import Manifest
from crossfleet.coordinator.artifacts.blobs import BlobStore, is_digest
from crossfleet.foundation.errors import BlobsMissing, ManifestInvalid

_NAMED = 20


async def check_manifest(blobs: BlobStore, digest: str) -> None:
    """Raises BlobsMissing when the manifest or a file of it was not uploaded, ManifestInvalid when a path is unsafe."""
    if await blobs.missing([digest]):
        raise BlobsMissing("the manifest was not uploaded", digests=digest, count=1)
    try:
        manifest = Manifest.FromString(await blobs.get(digest))
    except DecodeError:
        raise ManifestInvalid(f"blob {digest} is no manifest", path="") from None
    previous = ""
    for entry in manifest.entries:
        if entry.path <= previous:
            raise ManifestInvalid(f"{entry.path!r} is named twice or out of order", path=entry.path)
        previous = entry.path
        if not is_relative(entry.path) or (entry.symlink and not _link_inside(entry.path, entry.symlink)):
            raise ManifestInvalid(f"{entry.path!r} leaves the workspace", path=entry.path)
        if not entry.symlink and not is_digest(entry.digest):
            raise ManifestInvalid(f"{entry.path!r} has no SHA-256", path=entry.path)
    missing = await blobs.missing(dict.fromkeys(entry.digest for entry in manifest.entries if not entry.symlink))
    if missing:
        raise BlobsMissing(
            f"{len(missing)} files were not uploaded", digests=",".join(missing[:_NAMED]), count=len(missing)
        )


def is_relative(path: str) -> bool:
    """Whether `path` names something below a folder, wherever that is: plain parts only."""
    parts = path.split("/")
    return bool(path) and not path.startswith("/") and "\0" not in path and not {"", ".", ".."}.intersection(parts)


def _link_inside(path: str, link: str) -> bool:
    if link.startswith("/") or "\0" in link:
        return False
    depth = len(PurePosixPath(path).parts) - 1
    for part in PurePosixPath(link).parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return False
    return True
