"""A file may take as long as it takes, so long as something of it is taken or given."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from crossfleet.api.coordinator.v1 import artifact_service_pb2 as wire
from crossfleet.api.types.v1.suite_pb2 import Manifest
from crossfleet.worker.about import About
from crossfleet.worker.content import ContentCache
from crossfleet.worker.fetching import Fetcher
from crossfleet.worker.uploading import Uploading, files_below

_EACH_SECONDS = 50.0


class SlowLine:
    """One piece of a file takes it 50 s, by the clock of the loop, which it turns on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passed = 0.0
        loop = asyncio.get_running_loop()
        time = loop.time
        monkeypatch.setattr(loop, "time", lambda: time() + self.passed)

    async def carry(self) -> None:
        """Takes its time."""
        self.passed += _EACH_SECONDS
        for _ in range(2):  # the second turn comes after what has run out in the first
            await asyncio.sleep(0)


class SlowStore(SlowLine):
    """A channel to a store that takes one file."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(monkeypatch)
        self.content = b""
        self.attached: list[str] = []

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
        """The next piece."""
        assert piece.offset == len(self.content)
        self.content += piece.content
        await self.carry()

    async def done_writing(self) -> None:
        """There is nothing more."""

    def __await__(self) -> Generator[Any, None, wire.UploadBlobResponse]:
        yield from asyncio.sleep(0).__await__()
        return wire.UploadBlobResponse(blobs=1)

    def cancel(self) -> bool:
        """It is over."""
        return False


class SlowGiver(SlowLine):
    """A channel to a store that gives what it has, one piece after the other over all files."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *contents: bytes) -> None:
        super().__init__(monkeypatch)
        self._has = {hashlib.sha256(content).hexdigest(): content for content in contents}

    def unary_unary(self, *_: object, **__: object) -> None:
        """Nothing else is asked for."""

    stream_unary = unary_unary

    def unary_stream(self, *_: object, **__: object) -> Callable[..., AsyncIterator[wire.DownloadBlobResponse]]:
        """One file."""

        async def call(request: wire.DownloadBlobRequest) -> AsyncIterator[wire.DownloadBlobResponse]:
            content = self._has[request.digest]
            for start in range(0, len(content), 1000):
                await self.carry()
                yield wire.DownloadBlobResponse(content=content[start : start + 1000])

        return call


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


async def test_a_tree_comes_through_a_slow_line_in_whatever_time_also_where_two_files_share_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = {"a.bin": b"a" * 8_000, "b.bin": b"b" * 8_000}
    manifest = Manifest()
    for name, content in contents.items():
        manifest.entries.add(path=name, digest=hashlib.sha256(content).hexdigest(), size_bytes=len(content))
    listed = manifest.SerializeToString()
    store = SlowGiver(monkeypatch, listed, *contents.values())
    fetcher = Fetcher(ContentCache(tmp_path / "cache"), lambda: store)  # type: ignore[arg-type,return-value]

    await fetcher.lay_out(hashlib.sha256(listed).hexdigest(), tmp_path / "tree", lambda _: None)

    assert {one.name: one.read_bytes() for one in (tmp_path / "tree").iterdir()} == contents
    assert store.passed > 600
