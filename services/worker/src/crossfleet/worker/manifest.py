"""Reading the list of a workspace's files, trusting nothing in it."""

from __future__ import annotations

import os
import re
from pathlib import PurePosixPath

from google.protobuf.message import DecodeError

from crossfleet.api.types.v1.suite_pb2 import Manifest, ManifestEntry
from crossfleet.foundation.errors.content import ManifestInvalid

_DIGEST = re.compile(r"[0-9a-f]{64}")


def read_manifest(content: bytes) -> list[ManifestEntry]:
    """The entries, checked. Raises ManifestInvalid naming the path that is wrong and why."""
    manifest = Manifest()
    try:
        manifest.ParseFromString(content)
    except DecodeError as error:
        raise ManifestInvalid(f"the manifest cannot be read: {error}", path="") from error
    links = {entry.path for entry in manifest.entries if entry.symlink}
    seen: set[str] = set()
    for entry in manifest.entries:
        _check(entry, links, seen)
        seen.add(entry.path)
    return list(manifest.entries)


def _check(entry: ManifestEntry, links: set[str], seen: set[str]) -> None:
    path = PurePosixPath(entry.path)
    if not entry.path or path.is_absolute() or str(path) != entry.path or ".." in path.parts or "\0" in entry.path:
        raise _wrong(entry, "must be relative, without '.' or '..'")
    if entry.path in seen:
        raise _wrong(entry, "is named twice")
    # Written through a link, a file would land wherever the link points to.
    if any(str(parent) in links for parent in path.parents):
        raise _wrong(entry, "lies below a symbolic link")
    if entry.symlink:
        _check_link(entry)
    elif not _DIGEST.fullmatch(entry.digest):
        raise _wrong(entry, "has no SHA-256 digest")


def _check_link(entry: ManifestEntry) -> None:
    target = entry.symlink
    inside = os.path.normpath(os.path.join(os.path.dirname(entry.path), target))
    # After a name, '..' is the parent of wherever that name leads, which may be a link: only leading ones are sure.
    names = PurePosixPath(target).parts
    climbs = any(part == ".." and names[position - 1] != ".." for position, part in enumerate(names) if position)
    if target.startswith("/") or climbs or inside == ".." or inside.startswith("../"):
        raise _wrong(entry, f"is a symbolic link that leaves the workspace ({target!r})")


def _wrong(entry: ManifestEntry, what: str) -> ManifestInvalid:
    return ManifestInvalid(f"path {entry.path!r} {what}", path=entry.path)
