"""Live output on its own stream: bounded, and never in the way of control."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import grpc

from crossfleet.api.coordinator.v1 import log_service_pb2 as wire
from crossfleet.api.coordinator.v1.log_service_pb2_grpc import LogServiceStub
from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.errors.status import translated
from crossfleet.foundation.logs import get_logger
from crossfleet.worker.about import About
from crossfleet.worker.translate.text import as_bytes
from crossfleet.worker.waiting import until

_QUEUE_BYTES = 4 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_REQUEST_BYTES = 512 * 1024
_RETRY_SECONDS = 1.0
_STREAMS = {"stdout": wire.LOG_STREAM_STDOUT, "stderr": wire.LOG_STREAM_STDERR}


class LogPusher:
    """Queues chunks and pushes them while there is a connection. A full queue drops what comes, and marks where."""

    def __init__(self, worker: str, channel: Callable[[], grpc.aio.Channel | None]) -> None:
        """`channel` answers the present connection to the coordinator, None while there is none."""
        self._worker = worker
        self._channel = channel
        self._queue: deque[wire.LogChunk] = deque()
        self._bytes = 0
        self._dropped = 0
        self._ready = asyncio.Event()

    def output(self, about: About, slot: int, stream: str, data: str) -> None:
        """Take what a slot wrote to `stdout` or `stderr`; slot -1 is the process that collects."""
        self._add(about, slot, _STREAMS.get(stream, wire.LOG_STREAM_STDOUT), as_bytes(data))

    def system(self, about: About, text: str) -> None:
        """Take a line that crossfleet itself says."""
        self._add(about, -1, wire.LOG_STREAM_SYSTEM, as_bytes(text) + b"\n")

    async def run(self) -> None:
        """Push until cancelled. A push that fails is tried again on the next connection; nothing is raised."""
        while True:
            await self._ready.wait()
            channel = self._channel()
            if channel is None:
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            try:
                with translated():
                    await self._push(channel)
            except (CrossfleetError, asyncio.InvalidStateError) as error:
                get_logger().info("live output is delayed", cause=type(error).__name__)
                await asyncio.sleep(_RETRY_SECONDS)

    async def flush(self, seconds: float) -> None:
        """Wait until everything was handed over, at most this long."""
        await until(lambda: not self._queue, seconds)

    async def _push(self, channel: grpc.aio.Channel) -> None:
        call: Any = LogServiceStub(channel).PushLogs()  # type: ignore[no-untyped-call,unused-ignore]
        try:
            while self._channel() is channel:
                while self._queue:
                    await self._write(call)
                self._ready.clear()
                if not self._queue:
                    await self._ready.wait()
        finally:
            call.cancel()

    async def _write(self, call: Any) -> None:
        taken: list[wire.LogChunk] = []
        size = 0
        while self._queue and size < _REQUEST_BYTES:
            chunk = self._queue.popleft()
            taken.append(chunk)
            size += len(chunk.content)
        try:
            await call.write(wire.PushLogsRequest(chunks=taken))
        except BaseException:
            self._queue.extendleft(reversed(taken))  # the next connection takes them
            raise
        self._bytes -= size

    def _add(self, about: About, slot: int, stream: wire.LogStream.ValueType, content: bytes) -> None:
        if self._bytes + len(content) > _QUEUE_BYTES:
            self._dropped += len(content)
            return
        if self._dropped:
            mark = f"... {self._dropped} bytes of live output dropped ...\n".encode()
            self._dropped = 0
            self._append(about, slot, wire.LOG_STREAM_SYSTEM, mark)
        for start in range(0, len(content), _CHUNK_BYTES):
            self._append(about, slot, stream, content[start : start + _CHUNK_BYTES])
        self._ready.set()

    def _append(self, about: About, slot: int, stream: wire.LogStream.ValueType, content: bytes) -> None:
        self._bytes += len(content)
        self._queue.append(
            wire.LogChunk(
                run_id=about.run,
                target=about.target,
                worker_id=self._worker,
                slot=slot,
                stream=stream,
                content=content,
                unix_seconds=time.time(),
            )
        )
