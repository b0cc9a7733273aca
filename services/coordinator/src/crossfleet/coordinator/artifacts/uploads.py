"""Uploads in pieces: what arrived of a broken one is kept and continued."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from pathlib import Path

from crossfleet.coordinator.artifacts.blobs import PIECE_BYTES, BlobStore, disk_full
from crossfleet.foundation.errors import BlobTooLarge, DigestMismatch, Unavailable, UploadOffsetMismatch

_FULL = (errno.ENOSPC, errno.EDQUOT)


class Uploads:
    """The part files of blobs that are on their way. One stream at a time writes a part."""

    def __init__(self, blobs: BlobStore, folder: Path, limit_bytes: int) -> None:
        """Keeps part files in `folder`; a blob may have at most `limit_bytes`."""
        self._blobs = blobs
        self._folder = folder
        self._limit = limit_bytes
        self._open: set[str] = set()

    async def arrived(self, digest: str) -> tuple[int, bool]:
        """Bytes that have arrived of a blob, and whether it is complete."""
        if not await self._blobs.missing([digest]):
            return await self._blobs.size(digest), True
        part = self._part(digest)
        return (part.stat().st_size if part.exists() else 0), False

    def _part(self, digest: str) -> Path:
        return self._folder / f"{digest}.part"

    async def begin(self, digest: str, size: int, offset: int) -> Upload:
        """Starts or continues an upload. Raises BlobTooLarge, UploadOffsetMismatch, and Unavailable while another stream sends it."""
        if size > self._limit:
            raise BlobTooLarge(
                f"{size} bytes; at most {self._limit} are taken", limit_bytes=self._limit, size_bytes=size
            )
        if digest in self._open:
            raise Unavailable(f"blob {digest} is being sent by another stream", retry_after=0.2, digest=digest)
        self._open.add(digest)
        try:
            arrived, complete = await self.arrived(digest)
            upload = Upload(self, self._blobs, digest, size, self._part(digest), stored=complete)
            if not complete and offset:
                # Gigabytes may have arrived: to hash them takes longer than a lease.
                await asyncio.to_thread(upload.resume, offset, arrived)
        except BaseException:
            self._open.discard(digest)
            raise
        return upload

    def ended(self, digest: str) -> None:
        """An upload's stream is over, whatever became of it."""
        self._open.discard(digest)


class Upload:
    """One blob on its way. A small one stays in memory; a large one goes to a part file, which outlives a broken stream."""

    def __init__(self, uploads: Uploads, blobs: BlobStore, digest: str, size: int, part: Path, *, stored: bool) -> None:
        """Made by Uploads.begin. `stored`: the blob is there already, so its bytes are only counted."""
        self.digest = digest
        self.stored = stored
        self.received = 0
        self._uploads = uploads
        self._blobs = blobs
        self._size = size
        self._part = part
        self._hash = hashlib.sha256()
        self._memory = b""
        self._file: int | None = None

    def resume(self, offset: int, arrived: int) -> None:
        """Goes on behind what the part file holds. Raises UploadOffsetMismatch."""
        if offset != arrived:
            raise UploadOffsetMismatch(f"{arrived} bytes have arrived: go on there", offset=arrived)
        with self._part.open("rb") as part:
            while piece := part.read(PIECE_BYTES):
                self._hash.update(piece)
        self.received = arrived
        self._file = os.open(self._part, os.O_WRONLY | os.O_APPEND)

    @property
    def complete(self) -> bool:
        """Whether every byte has arrived."""
        return self.received >= self._size

    def add(self, offset: int, piece: bytes) -> None:
        """Takes a piece. Raises UploadOffsetMismatch, BlobTooLarge (more than was announced), DiskFull."""
        if self.stored:
            self.received += len(piece)
            return
        if offset != self.received:
            raise UploadOffsetMismatch(f"{self.received} bytes have arrived: go on there", offset=self.received)
        if self.received + len(piece) > self._size:
            raise BlobTooLarge(
                f"more than the announced {self._size} bytes",
                limit_bytes=self._size,
                size_bytes=self.received + len(piece),
            )
        if self._file is None and self.received == 0 and len(piece) == self._size:
            self._memory = piece
        else:
            self._write(piece)
            self._hash.update(piece)
        self.received += len(piece)

    def _write(self, piece: bytes) -> None:
        try:
            if self._file is None:
                self._part.parent.mkdir(parents=True, exist_ok=True)
                self._file = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            view = memoryview(piece)
            while view:
                view = view[os.write(self._file, view) :]
        except OSError as error:
            self._discard()
            if error.errno in _FULL:
                raise disk_full(self._part.parent, self._size - self.received) from None
            raise

    async def finish(self) -> None:
        """Checks the digest and stores the blob. Raises DigestMismatch (nothing is kept), DiskFull."""
        try:
            if self.stored:
                return
            if self._file is None:
                await self._blobs.put(self.digest, self._memory)
                return
            actual = self._hash.hexdigest()
            if actual != self.digest:
                raise DigestMismatch("the bytes are not those of the digest", expected=self.digest, actual=actual)
            os.close(self._file)
            self._file = None
            await self._blobs.adopt(self.digest, self._part)
            self._part.unlink(missing_ok=True)
        except BaseException:
            self._discard()
            raise
        finally:
            self.close()

    def close(self) -> None:
        """The stream is over; a part file that is not complete stays for the next one."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self._uploads.ended(self.digest)

    def _discard(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self._part.unlink(missing_ok=True)
