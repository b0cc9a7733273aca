"""One file on its way to the store. It takes as long as it takes: what has a limit is how long nothing of it is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from crossfleet.api.coordinator.v1 import artifact_service_pb2 as wire
from crossfleet.foundation.errors import DeadlineExceeded

_PIECE_BYTES = 512 * 1024
_PIECE_SECONDS = 60.0
# What has arrived of a large file is put into a bucket then.
_ANSWER_SECONDS = 300.0


async def send_file(stub: Any, digest: str, path: Path, size: int) -> None:
    """Returns when it is stored. Raises DeadlineExceeded where nothing of it is taken any more, OSError, and what the call raises."""
    call = stub.UploadBlob()
    try:
        with path.open("rb") as file:
            await _write(call, _pieces(file, digest, size))
        async with asyncio.timeout(_ANSWER_SECONDS):
            await call
    except TimeoutError:
        raise DeadlineExceeded(f"the coordinator takes nothing more of {path.name}") from None
    finally:
        call.cancel()


async def _write(call: Any, pieces: Iterator[wire.UploadBlobRequest]) -> None:
    with suppress(asyncio.InvalidStateError):  # it has ended before all was sent: its answer says why
        for piece in pieces:
            async with asyncio.timeout(_PIECE_SECONDS):
                await call.write(piece)
        async with asyncio.timeout(_PIECE_SECONDS):
            await call.done_writing()


def _pieces(file: BinaryIO, digest: str, size: int) -> Iterator[wire.UploadBlobRequest]:
    content = file.read(_PIECE_BYTES)
    yield wire.UploadBlobRequest(digest=digest, size_bytes=size, content=content)
    offset = len(content)
    while content := file.read(_PIECE_BYTES):
        yield wire.UploadBlobRequest(offset=offset, content=content)
        offset += len(content)
