"""Files that cases leave in CROSSFLEET_ARTIFACTS: uploaded by digest and named in the run."""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
import os
import shutil
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc

from crossfleet.api.coordinator.v1 import artifact_service_pb2 as wire
from crossfleet.api.coordinator.v1.artifact_service_pb2_grpc import ArtifactServiceStub
from crossfleet.foundation.errors import BlobTooLarge, CrossfleetError, DigestMismatch, InvalidArgument
from crossfleet.foundation.errors.load import Unavailable
from crossfleet.foundation.errors.status import translated
from crossfleet.foundation.logs import get_logger
from crossfleet.foundation.retry import RetryPolicy, retrying
from crossfleet.worker.about import About

_PIECE_BYTES = 512 * 1024
# The coordinator names no more in one call.
_FILES_AT_ONCE = 1000
_POLICY = RetryPolicy(attempts=8, first_delay=0.2, max_delay=5.0, deadline=300.0)


@dataclass(frozen=True, slots=True)
class _Left:
    """A file as it lay there."""

    path: Path
    name: str
    size: int
    modified: int


class Artifacts:
    """Looks after each attempt for files that have changed, and once more when the allocation has ended.

    Names are `WORKER/SLOT/PATH`. The folder is removed at the end, whether or not everything could be kept.
    """

    def __init__(
        self,
        worker: str,
        place: Callable[[str], Path],
        channel: Callable[[], grpc.aio.Channel | None],
        *,
        most_bytes: int,
    ) -> None:
        """`place` answers the folder of an allocation; files over `most_bytes` are left out and logged."""
        self._worker = worker
        self._place = place
        self._channel = channel
        self._most_bytes = most_bytes
        self._kept: dict[str, dict[Path, tuple[int, int]]] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._ended: dict[str, Callable[[], None]] = {}

    def collect(self, allocation: str, about: About | None) -> None:
        """Look for files, beside everything else; while that goes on, once more afterwards."""
        self._begin(allocation, about, last=False)

    def end(self, allocation: str, about: About | None, then: Callable[[], None]) -> None:
        """Look for the last time, call `then` once all that could be kept is named in the run, and remove the folder.

        A second call for the same allocation, while the first goes on, changes nothing.
        """
        if allocation not in self._ended:
            self._ended[allocation] = then
            self._begin(allocation, about, last=True)

    def _begin(self, allocation: str, about: About | None, *, last: bool) -> None:
        if allocation in self._running:
            self._again.add(allocation)
            return
        if not last and not self._has_files(allocation):
            return
        task = asyncio.ensure_future(self._collect(allocation, about))
        self._running[allocation] = task
        task.add_done_callback(lambda _: self._finished(allocation, about))

    async def settle(self, seconds: float) -> None:
        """Wait for what is under way, at most this long."""
        while self._running:
            _, late = await asyncio.wait(list(self._running.values()), timeout=seconds)
            if late:
                return
            await asyncio.sleep(0)

    def _has_files(self, allocation: str) -> bool:
        return any(True for _ in _files(self._place(allocation) / "artifacts"))

    def _finished(self, allocation: str, about: About | None) -> None:
        self._running.pop(allocation, None)
        if allocation in self._again:
            self._again.discard(allocation)
            self._begin(allocation, about, last=allocation in self._ended)
        elif allocation in self._ended:
            del self._ended[allocation]
            self._kept.pop(allocation, None)

    async def _collect(self, allocation: str, about: About | None) -> None:
        place = self._place(allocation)
        try:
            if about is not None:
                await self._upload(allocation, about, place / "artifacts")
        except (CrossfleetError, OSError) as error:
            get_logger().warning("artifacts were not kept", allocation=allocation, message=str(error))
        then = self._ended.get(allocation)
        if then is None or allocation in self._again:
            return  # not the last look
        self._ended[allocation] = _told
        then()
        await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)

    async def _upload(self, allocation: str, about: About, folder: Path) -> None:
        kept = self._kept.setdefault(allocation, {})
        found = await asyncio.to_thread(lambda: sorted(_files(folder), key=lambda left: left.path))
        changed = [left for left in found if kept.get(left.path) != (left.size, left.modified)]
        for start in range(0, len(changed), _FILES_AT_ONCE):
            some = changed[start : start + _FILES_AT_ONCE]
            named = [artifact for left in some if (artifact := await self._stored(about, left)) is not None]
            if named:
                await retrying(lambda artifacts=named: self._attach(artifacts), policy=_POLICY)  # type: ignore[misc]
            kept.update({left.path: (left.size, left.modified) for left in some})

    async def _stored(self, about: About, left: _Left) -> wire.Artifact | None:
        """Uploads a file. None, and a line in the log: it is too large, or was changed while it was read."""
        if left.size > self._most_bytes:
            get_logger().warning("an artifact is too large", artifact=left.name, size_bytes=left.size)
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
            name=f"{self._worker}/{left.name}",
            digest=digest,
            size_bytes=left.size,
            media_type=mimetypes.guess_type(left.name)[0] or "",
        )

    async def _send(self, digest: str, left: _Left) -> None:
        stub = ArtifactServiceStub(self._connected())  # type: ignore[no-untyped-call,unused-ignore]
        with translated():
            missing = await stub.FindMissingBlobs(wire.FindMissingBlobsRequest(digests=[digest]))
            if missing.missing:
                await stub.UploadBlob(_pieces(digest, left))

    async def _attach(self, artifacts: list[wire.Artifact]) -> None:
        stub = ArtifactServiceStub(self._connected())  # type: ignore[no-untyped-call,unused-ignore]
        with translated():
            await stub.AttachArtifact(wire.AttachArtifactRequest(artifacts=artifacts))

    def _connected(self) -> grpc.aio.Channel:
        channel = self._channel()
        if channel is None:
            raise Unavailable("no connection to the coordinator")
        return channel


def _told() -> None:
    """Stands for what was to be called at the end of an allocation, once that was done."""


def _files(folder: Path) -> Iterator[_Left]:
    """Regular files below a folder, in any order; links are not followed. What vanishes meanwhile is left out."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            try:
                status = path.lstat()
            except FileNotFoundError:
                continue
            if stat.S_ISREG(status.st_mode):
                shown = path.relative_to(folder).as_posix().encode("utf-8", "replace").decode()
                yield _Left(path, shown, status.st_size, status.st_mtime_ns)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def _pieces(digest: str, left: _Left) -> AsyncIterator[wire.UploadBlobRequest]:
    with left.path.open("rb") as file:
        offset = 0
        while True:
            content = file.read(_PIECE_BYTES)
            if not content and offset:
                return
            first = {"digest": digest, "size_bytes": left.size} if not offset else {}
            yield wire.UploadBlobRequest(offset=offset, content=content, **first)  # type: ignore[arg-type]
            offset += len(content)
            if not content:
                return
