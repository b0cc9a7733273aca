"""The canonical list of a workspace's files, and its digest."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from crossfleet.api.types.v1 import suite_pb2
from crossfleet.foundation.errors import ManifestInvalid

_PIECE = 1024 * 1024


def file_digest(path: Path) -> tuple[str, int]:
    """SHA-256 (hexadecimal) and size in bytes of a file, read in pieces."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            size += len(piece)
    return digest.hexdigest(), size


def entry_of(root: Path, relative: str) -> suite_pb2.ManifestEntry | None:
    """The entry of one path below `root`; None for what is gone or is neither file nor link.

    Raises ManifestInvalid for a link that leaves the workspace and for a name that is not UTF-8.
    """
    path = root / relative
    try:
        relative.encode("utf-8")
    except UnicodeEncodeError:
        shown = relative.encode("utf-8", "backslashreplace").decode()
        raise ManifestInvalid(f"the file name {shown!r} is not UTF-8: rename or ignore it", path=shown) from None
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None  # tracked, and deleted in the working tree: it is not part of the workspace
    if stat.S_ISLNK(status.st_mode):
        return suite_pb2.ManifestEntry(path=relative, symlink=_checked_link(relative, os.readlink(path)))
    if not stat.S_ISREG(status.st_mode):
        return None  # sockets, pipes, devices; a submodule's folder is listed by its own files
    digest, size = file_digest(path)
    executable = bool(status.st_mode & stat.S_IXUSR)
    return suite_pb2.ManifestEntry(path=relative, digest=digest, size_bytes=size, executable=executable)


def _checked_link(relative: str, target: str) -> str:
    landing = os.path.normpath(os.path.join(os.path.dirname(relative), target))
    if os.path.isabs(target) or landing == ".." or landing.startswith("../"):
        raise ManifestInvalid(
            f"the link {relative} points to {target}, outside of the workspace: make it relative and inside, or ignore it",
            path=relative,
        )
    return target


def canonical(entries: Iterable[suite_pb2.ManifestEntry]) -> tuple[bytes, str]:
    """The deterministic bytes of a manifest, sorted by path, and their SHA-256."""
    manifest = suite_pb2.Manifest(entries=sorted(entries, key=lambda entry: entry.path))
    content = manifest.SerializeToString(deterministic=True)
    return content, hashlib.sha256(content).hexdigest()
