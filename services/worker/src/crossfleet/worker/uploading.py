"""Files of a run on their way to the coordinator: uploaded by digest, then named in the run."""

from __future__ import annotations

import asyncio
import hashlib
import math
import mimetypes
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from crossfleet.api.coordinator.v1 import artifact_service_pb2 as wire
from crossfleet.api.coordinator.v1.artifact_service_pb2_grpc import ArtifactServiceStub
from crossfleet.foundation.errors import (
    ArtifactStoreUnavailable,
    BlobTooLarge,
    DeadlineExceeded,
    DigestMismatch,
    DiskFull,
    InvalidArgument,
    Unavailable,
)
from crossfleet.foundation.errors.status import translated
from crossfleet.foundation.logs import get_logger
from crossfleet.foundation.retry import RetryPolicy, retrying
from crossfleet.worker.about import About
from crossfleet.worker.sending import send_file
from crossfleet.worker.waiting import until

FILES_AT_ONCE = 1000
"""The coordinator names no more in one call."""

# A large file may take its time: how long nothing of it may be taken is said where it is sent.
_POLICY = RetryPolicy(attempts=8, first_delay=0.2, max_delay=5.0, deadline=math.inf)
# To ask for one digest takes a store some milliseconds: one that takes longer is not there.
_ASK_SECONDS = 5.0
_ATTACH_SECONDS = 30.0
# Nothing is told up without a session, so that waiting for the next one holds nobody up.
_SESSION_SECONDS = 60.0
_AWAY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Left:
    """A file as it lay there; `name` below the folder that it was found in.

    `changed`: when it was last written to or put there, in nanoseconds; unlike its time of modification nobody can set that.
    """

    path: Path
    name: str
    size: int
    changed: int


class StoreAway(Exception):
    """The artifact store takes nothing now: it cannot be reached, or is full."""


class Uploading:
    """Stores files and names them `WORKER/NAME` in their run."""

    def __init__(
        self,
        worker: str,
        channel: Callable[[], grpc.aio.Channel | None],
        *,
        most_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`channel` answers the present connection, None while there is none; larger files than `most_bytes` are left out."""
        self._worker = worker
        self._channel = channel
        self._most_bytes = most_bytes
        self._clock = clock
        self._away_until = 0.0

    @property
    def away(self) -> bool:
        """Whether the store took nothing a moment ago."""
        return self._clock() < self._away_until

    def name(self, name: str) -> str:
        """The name that a file gets in its run."""
        return f"{self._worker}/{name}"

    def fits(self, left: Left) -> bool:
        """Whether a file may be stored; a line in the log where it is too large."""
        if left.size > self._most_bytes:
            get_logger().warning("an artifact is too large", artifact=left.name, size_bytes=left.size)
        return left.size <= self._most_bytes

    async def store(self, about: About, files: Sequence[Left]) -> list[Left]:
        """Stores at most FILES_AT_ONCE files; answers those that cannot be, with a line in the log.

        Raises StoreAway, and the CrossfleetError after which it was not tried again.
        """
        named, lost = [], []
        for left in files:
            artifact = await self._stored(about, left)
            if artifact is None:
                lost.append(left)
            else:
                named.append(artifact)
        if named:
            await retrying(lambda: self._attach(named), policy=_POLICY)
        self._away_until = 0.0
        return lost

    async def _stored(self, about: About, left: Left) -> wire.Artifact | None:
        if not self.fits(left):
            return None
        try:
            digest = await asyncio.to_thread(_digest, left.path)
            await retrying(lambda: self._send(digest, left), policy=_POLICY)
        except (DigestMismatch, BlobTooLarge, InvalidArgument, OSError) as error:
            # Written to all the while: with the next attempt's end it has another time of change, and another chance.
            get_logger().warning("an artifact could not be read", artifact=left.name, message=str(error))
            return None
        return wire.Artifact(
            run_id=about.run,
            target=about.target,
            name=self.name(left.name),
            digest=digest,
            size_bytes=left.size,
            media_type=mimetypes.guess_type(left.name)[0] or "",
        )

    async def _send(self, digest: str, left: Left) -> None:
        stub = await self._stub()
        with self._asking():
            request = wire.FindMissingBlobsRequest(digests=[digest])
            missing = await stub.FindMissingBlobs(request, timeout=_ASK_SECONDS)
            if missing.missing:
                await send_file(stub, digest, left.path, left.size)

    async def _attach(self, artifacts: Sequence[wire.Artifact]) -> None:
        stub = await self._stub()
        with self._asking():
            await stub.AttachArtifact(wire.AttachArtifactRequest(artifacts=artifacts), timeout=_ATTACH_SECONDS)

    async def _stub(self) -> Any:
        await until(lambda: self._channel() is not None, _SESSION_SECONDS)
        channel = self._channel()
        if channel is None:
            raise Unavailable("no connection to the coordinator")
        return ArtifactServiceStub(channel)  # type: ignore[no-untyped-call,unused-ignore]

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            with translated():
                yield
        except (ArtifactStoreUnavailable, DeadlineExceeded, DiskFull) as error:
            if not self.away:
                get_logger().warning("the artifact store takes nothing", reason=error.reason, message=str(error))
            self._away_until = self._clock() + _AWAY_SECONDS
            raise StoreAway(str(error)) from error


def files_below(folder: Path) -> Iterator[Left]:
    """Regular files below a folder, in any order; links are not followed. What vanishes meanwhile is left out."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue
            if stat.S_ISREG(status.st_mode):
                yield Left(path, _shown(path, folder), status.st_size, status.st_ctime_ns)


def not_files_below(folder: Path) -> Iterator[str]:
    """Names of what cannot be stored as a file: links that lead out of the folder, and folders that cannot be read."""
    whole = folder.resolve()
    unread: list[OSError] = []
    for parent, folders, names in os.walk(folder, onerror=unread.append):
        for path in (Path(parent, name) for name in (*folders, *names)):
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(whole):
                yield _shown(path, folder)
    yield from (_shown(Path(error.filename), folder) for error in unread if not isinstance(error, FileNotFoundError))


def _shown(path: Path, folder: Path) -> str:
    """What is no UTF-8 is told apart all the same."""
    return path.relative_to(folder).as_posix().encode("utf-8", "backslashreplace").decode()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
