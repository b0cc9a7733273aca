"""A file may take as long as it takes, so long as something of it is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from crossfleet.api.coordinator.v1 import artifact_service_pb2 as wire
from crossfleet.worker.about import About
from crossfleet.worker.uploading import Uploading, files_below

_EACH_SECONDS = 50.0


class SlowStore:
    """A channel to a store that takes one piece in 50 s, by the clock of the loop, which it turns on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.content = b""
        self.attached: list[str] = []
        self.passed = 0.0
        loop = asyncio.get_running_loop()
        time = loop.time
        monkeypatch.setattr(loop, "time", lambda: time() + self.passed)

    def unary_unary(self, method: str, *_: object, **__: object) -> Callable[..., Awaitable[Any]]:
        """All that is asked for is missing."""

        async def call(request: Any, timeout: float) -> Any:
            assert timeout > 0
            if method.endswith("/FindMissingBlobs"):
                return wire.FindMissingBlobsResponse(missing=request.digests)
            self.attached += [artifact.name for artifact in request.artifacts]
            return wire.AttachArtifactResponse()

        return call

    def stream_unary(self, *_: object, **__: object) -> Callable[[], SlowStore]:
        """The store itself is the call."""
        return lambda: self

    unary_stream = stream_unary

    async def write(self, piece: wire.UploadBlobRequest) -> None:
        """Takes its time."""
        assert piece.offset == len(self.content)
        self.content += piece.content
        self.passed += _EACH_SECONDS
        await asyncio.sleep(0)

    async def done_writing(self) -> None:
        """There is nothing more."""

    def __await__(self) -> Generator[Any, None, wire.UploadBlobResponse]:
        yield from asyncio.sleep(0).__await__()
        return wire.UploadBlobResponse(blobs=1)

    def cancel(self) -> bool:
        """It is over."""
        return False


async def test_a_large_file_goes_through_a_slow_line_in_whatever_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(range(256)) * 30_000
    (tmp_path / "model.bin").write_bytes(content)
    store = SlowStore(monkeypatch)
    uploading = Uploading("w1", lambda: store, most_bytes=len(content))  # type: ignore[arg-type,return-value]

    assert await uploading.store(About("run-1", "default", (0,), ""), list(files_below(tmp_path))) == []

    assert (store.content, store.attached) == (content, ["w1/model.bin"])
    assert store.passed > 600
