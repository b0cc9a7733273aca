"""Blobs by their SHA-256 on an object store: the local folder of a fleet on one machine."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crossfleet.foundation.errors import BlobNotFound, DigestMismatch, DiskFull, StorageCorrupt

if TYPE_CHECKING:
    from obstore.store import LocalStore

PIECE_BYTES = 1 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}")


def is_digest(text: str) -> bool:
    """Whether `text` is a SHA-256 in lower-case hexadecimal."""
    return _DIGEST.fullmatch(text) is not None


def _key(digest: str) -> str:
    return f"{digest[:2]}/{digest}"


class BlobStore:
    """Stores bytes whole or not at all: the store writes beside the name and renames, and a wrong digest is refused."""

    def __init__(self, folder: Path) -> None:
        """Keeps blobs below `folder`, which is made when the first blob comes."""
        self._folder = folder
        self._store: LocalStore | None = None

    def _opened(self) -> LocalStore:
        if self._store is None:
            from obstore.store import LocalStore  # a quarter of a second at import: not for a fleet that needs no blob

            self._folder.mkdir(parents=True, exist_ok=True)
            self._store = LocalStore(self._folder)
        return self._store

    def path(self, digest: str) -> Path:
        """Where a blob lies, whether or not it is there."""
        return self._folder / digest[:2] / digest

    async def missing(self, digests: Iterable[str]) -> list[str]:
        """Those that are not stored, in their order."""
        wanted = list(digests)
        return await asyncio.to_thread(lambda: [digest for digest in wanted if not self.path(digest).exists()])

    async def size(self, digest: str) -> int:
        """Bytes of a blob. Raises BlobNotFound."""
        try:
            return (await self._opened().head_async(_key(digest)))["size"]
        except FileNotFoundError:
            raise BlobNotFound(f"no blob {digest}", digest=digest) from None

    async def put(self, digest: str, content: bytes) -> None:
        """Stores bytes that are at hand. Raises DigestMismatch, DiskFull."""
        actual = hashlib.sha256(content).hexdigest()
        if actual != digest:
            raise DigestMismatch("the bytes are not those of the digest", expected=digest, actual=actual)
        await self._put(digest, content)

    async def adopt(self, digest: str, part: Path) -> None:
        """Stores a complete, checked part file. Raises DiskFull."""
        await self._put(digest, part)

    async def _put(self, digest: str, content: bytes | Path) -> None:
        from obstore.exceptions import BaseError

        try:
            await self._opened().put_async(_key(digest), content)
        except (OSError, BaseError) as error:
            if "os error 28" in str(error) or "os error 122" in str(error):  # no space, or no quota
                raise disk_full(self._folder) from None
            raise

    async def get(self, digest: str) -> bytes:
        """A blob as a whole, checked again. Raises BlobNotFound, StorageCorrupt."""
        try:
            content = bytes(await (await self._opened().get_async(_key(digest))).bytes_async())
        except FileNotFoundError:
            raise BlobNotFound(f"no blob {digest}", digest=digest) from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise StorageCorrupt(f"blob {digest} is damaged", path=self.path(digest))
        return content

    async def read(self, digest: str, offset: int = 0, limit: int = 0) -> AsyncIterator[bytes]:
        """A blob's bytes from `offset`, at most `limit` of them (0: to the end), in pieces of at most 1 MiB. Raises BlobNotFound."""
        size = await self.size(digest)
        end = size if limit <= 0 else min(size, offset + limit)
        at = offset
        while at < end:
            following = min(end, at + PIECE_BYTES)
            yield bytes(await self._opened().get_range_async(_key(digest), start=at, end=following))
            at = following

    async def settle(self, digests: Sequence[str]) -> None:
        """Returns when these blobs are on the disk: what was only written may be lost with the machine's power."""
        await asyncio.to_thread(self._sync, [self.path(digest) for digest in digests])

    @staticmethod
    def _sync(paths: Sequence[Path]) -> None:
        for path in [*paths, *{path.parent for path in paths}]:
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def disk_full(folder: Path, needed: int = 0) -> DiskFull:
    """The error of a full disk (or quota), with the bytes that are still free there."""
    free = shutil.disk_usage(folder).free
    return DiskFull(
        f"no room below {folder}: free some, then send it again", path=folder, free_bytes=free, needed_bytes=needed
    )
