"""Blobs by their SHA-256 in an artifact store."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crossfleet.coordinator.artifacts.place import Place
from crossfleet.coordinator.artifacts.recent import Recent
from crossfleet.foundation.errors import (
    ArtifactStoreUnavailable,
    BlobNotFound,
    CrossfleetError,
    DigestMismatch,
    DiskFull,
    StorageCorrupt,
)

if TYPE_CHECKING:
    from obstore.store import ObjectStore

PIECE_BYTES = 1 << 20
FOLDER = "blobs"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_FULL = ("os error 28", "os error 122")  # no space, or no quota
# What was seen in a bucket so lately is still there: nothing removes what was named within an hour.
_SEEN_SECONDS = 1_800.0
# Questions that are asked of a bucket at once.
_AT_ONCE = 32


def is_digest(text: str) -> bool:
    """Whether `text` is a SHA-256 in lower-case hexadecimal."""
    return _DIGEST.fullmatch(text) is not None


def key_of(digest: str) -> str:
    """The name of a blob in its store."""
    return f"{FOLDER}/{digest[:2]}/{digest}"


@dataclass(frozen=True, slots=True)
class Stored:
    """A blob as it is listed; `at` in unix seconds by the store's clock."""

    digest: str
    size: int
    at: float


class BlobStore:
    """Stores bytes whole or not at all, under their digest. Raises ArtifactStoreUnavailable from every method that asks a store which is away."""

    def __init__(self, place: Place, clock: Callable[[], float] = time.monotonic) -> None:
        """Keeps blobs in `place`; a folder is made when the first blob comes."""
        self.place = place
        self.recent = Recent(clock)
        self._seen = Recent(clock)
        self._store: ObjectStore | None = None

    @property
    def store(self) -> ObjectStore:
        """The store, opened at the first use."""
        if self._store is None:
            self._store = self.place.open()
        return self._store

    def path(self, digest: str) -> Path | str:
        """Where a blob lies, whether or not it is there, for people."""
        return self.place.folder / key_of(digest) if self.place.folder else f"{self.place.url}/{key_of(digest)}"

    async def missing(self, digests: Iterable[str]) -> list[str]:
        """Those that are not stored, in their order. What is there stays for a while, so that it can be referred to."""
        wanted = list(digests)
        self.recent.add(wanted)
        folder = self.place.folder
        if folder is not None:
            return await asyncio.to_thread(lambda: [one for one in wanted if not (folder / key_of(one)).exists()])
        free = asyncio.Semaphore(_AT_ONCE)

        async def there(digest: str) -> bool:
            async with free:
                try:
                    await self.size(digest)
                except BlobNotFound:
                    return False
                return True

        asked = [digest for digest in wanted if not self._seen.has(digest, _SEEN_SECONDS)]
        found = await asyncio.gather(*(there(digest) for digest in asked))
        self._seen.add(digest for digest, stored in zip(asked, found, strict=True) if stored)
        return [digest for digest, stored in zip(asked, found, strict=True) if not stored]

    async def size(self, digest: str) -> int:
        """Bytes of a blob. Raises BlobNotFound."""
        with self._asking(digest):
            return (await self.store.head_async(key_of(digest)))["size"]

    async def put(self, digest: str, content: bytes) -> None:
        """Stores bytes that are at hand. Raises DigestMismatch, DiskFull."""
        actual = hashlib.sha256(content).hexdigest()
        if actual != digest:
            raise DigestMismatch("the bytes are not those of the digest", expected=digest, actual=actual)
        self.recent.add([digest])
        with asking(self.place, writing=True):
            await put_new(self.store, key_of(digest), content, new=self.place.folder is None)

    async def adopt(self, digest: str, part: Path) -> None:
        """Stores a complete, checked part file. Raises DiskFull."""
        self.recent.add([digest])
        with asking(self.place, writing=True):
            await self.store.put_async(key_of(digest), part)

    async def get(self, digest: str) -> bytes:
        """A blob as a whole, checked again. Raises BlobNotFound, StorageCorrupt."""
        with self._asking(digest):
            content = bytes(await (await self.store.get_async(key_of(digest))).bytes_async())
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
            with self._asking(digest):
                piece = bytes(await self.store.get_range_async(key_of(digest), start=at, end=following))
            yield piece
            at = following

    async def settle(self, digests: Sequence[str]) -> None:
        """Returns when these blobs are on the disk: what was only written may be lost with the machine's power."""
        folder = self.place.folder
        if folder is not None:
            await asyncio.to_thread(_sync, [folder / key_of(digest) for digest in digests])

    async def listed(self) -> AsyncIterator[list[Stored]]:
        """All blobs, a few hundred at a time."""
        if self.place.folder is not None and not (self.place.folder / FOLDER).exists():
            return
        with asking(self.place):
            async for some in self.store.list(FOLDER, chunk_size=500):
                found = [(one["path"].rpartition("/")[2], one) for one in some]
                yield [
                    Stored(digest, one["size"], one["last_modified"].timestamp())
                    for digest, one in found
                    if is_digest(digest)
                ]

    async def remove(self, digests: Sequence[str]) -> None:
        """Removes blobs; those that are not there are no fault."""
        await remove(self.place, self.store, [key_of(digest) for digest in digests])

    @contextmanager
    def _asking(self, digest: str) -> Iterator[None]:
        """Turns what the store raises into errors of the API."""
        with asking(self.place):
            try:
                yield
            except FileNotFoundError:
                raise BlobNotFound(f"no blob {digest}", digest=digest) from None


async def put_new(store: ObjectStore, key: str, content: bytes, *, new: bool) -> None:
    """Stores bytes under a name that always has the same content; with `new` only where it is not there yet."""
    from obstore.exceptions import AlreadyExistsError, NotSupportedError

    if new:
        try:
            await store.put_async(key, content, mode="create")
        except AlreadyExistsError:
            return
        except NotSupportedError:
            pass  # a store without conditional writes: the content is the same
        else:
            return
    await store.put_async(key, content)


async def remove(place: Place, store: ObjectStore, keys: Sequence[str]) -> None:
    """Removes what has these names; what is not there is no fault. Raises ArtifactStoreUnavailable."""
    with asking(place):
        if place.folder is None:
            await store.delete_async(list(keys))
        else:
            await asyncio.to_thread(_unlink, [place.folder / key for key in keys])


def _unlink(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


@contextmanager
def asking(place: Place, *, writing: bool = False) -> Iterator[None]:
    """Raises DiskFull and ArtifactStoreUnavailable for what the store of `place` raises; FileNotFoundError of a read stays."""
    from obstore.exceptions import BaseError

    try:
        yield
    except CrossfleetError:
        raise
    except (OSError, BaseError) as error:
        if isinstance(error, FileNotFoundError) and not writing:
            raise
        text = str(error)
        number = getattr(error, "errno", None)
        if place.folder is not None and (number in (errno.ENOSPC, errno.EDQUOT) or any(one in text for one in _FULL)):
            raise disk_full(place.folder) from None
        told = text.strip().splitlines()[0][:300] if text.strip() else type(error).__name__
        raise ArtifactStoreUnavailable(
            f"the artifact store {place.url} does not do what it is asked for: {told}", store=place.url, retry_after=1.0
        ) from error


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
