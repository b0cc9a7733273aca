"""LogService: output of slots, up from workers and down to readers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc

from crossfleet.api.coordinator.v1 import log_service_pb2 as log_pb2
from crossfleet.api.coordinator.v1 import log_service_pb2_grpc as log_grpc
from crossfleet.coordinator.logs.reader import LogReader
from crossfleet.coordinator.logs.run_logs import RunLogs
from crossfleet.coordinator.logs.slot_log import Piece
from crossfleet.coordinator.logs.source import LogSource
from crossfleet.coordinator.lookup import Lookup
from crossfleet.foundation.draining import Draining
from crossfleet.foundation.errors import FieldViolation, InvalidArgument

_CHUNK_BYTES = 64 << 10
_BATCH_BYTES = 1 << 20
_POLL_SECONDS = 1.0


class LogServicer(log_grpc.LogServiceServicer):
    """Late or lost logs change no verdict, so nothing here waits for a commit."""

    def __init__(self, logs: RunLogs, lookup: Lookup, draining: Draining) -> None:
        """Reads and writes `logs`; `lookup` says whether a run exists and has ended."""
        self._logs = logs
        self._lookup = lookup
        self._draining = draining

    async def PushLogs(
        self, requests: AsyncIterator[log_pb2.PushLogsRequest], context: grpc.aio.ServicerContext[Any, Any]
    ) -> log_pb2.PushLogsResponse:
        """Stores what comes until the worker or the coordinator goes. Raises InvalidArgument, DiskFull."""
        stored = 0
        async for request in self._draining.until(requests):
            by_source: dict[LogSource, list[Piece]] = {}
            for index, chunk in enumerate(request.chunks):
                source = LogSource(chunk.run_id, chunk.target, chunk.worker_id, chunk.slot)
                _check(source, chunk, index)
                by_source.setdefault(source, []).append(Piece(chunk.stream, chunk.content, chunk.unix_seconds))
            for source, pieces in by_source.items():
                stored += await self._logs.append(source, pieces)
        return log_pb2.PushLogsResponse(stored_bytes=stored)

    async def ReadLogs(
        self, request: log_pb2.ReadLogsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[log_pb2.ReadLogsResponse]:
        """What is stored, and, with `follow`, what comes until the run ends. Raises RunNotFound, ArtifactStoreUnavailable."""
        await self._lookup.check(request.run_id)
        reader = self._logs.reader(request.run_id, request.target, request.worker_id)
        came = self._logs.followers.join(request.run_id)
        try:
            while True:
                came.clear()
                ended = not request.follow or self._draining.begun or await self._lookup.ended(request.run_id)
                async for response in _batches(reader):
                    yield response
                if ended:
                    return
                await _either(came.wait, self._draining.wait)
        finally:
            self._logs.followers.leave(request.run_id, came)


def _check(source: LogSource, chunk: log_pb2.LogChunk, index: int) -> None:
    if not source.valid():
        raise InvalidArgument(
            "a chunk has no proper source",
            fields=[FieldViolation(f"chunks[{index}]", "run_id, target and worker_id as assigned")],
        )
    if chunk.stream not in log_pb2.LogStream.values():
        raise InvalidArgument(
            "a chunk of an unknown stream", fields=[FieldViolation(f"chunks[{index}].stream", "a LogStream")]
        )
    if len(chunk.content) > _CHUNK_BYTES:
        raise InvalidArgument(
            "a chunk is too long", fields=[FieldViolation(f"chunks[{index}].content", f"at most {_CHUNK_BYTES} bytes")]
        )


async def _batches(reader: LogReader) -> AsyncIterator[log_pb2.ReadLogsResponse]:
    response, size = log_pb2.ReadLogsResponse(), 0
    async for source, piece in reader.following():
        response.chunks.add(
            run_id=source.run_id,
            target=source.target,
            worker_id=source.worker_id,
            slot=source.slot,
            stream=piece.stream,
            content=piece.content,
            unix_seconds=piece.at,
        )
        size += len(piece.content)
        if size >= _BATCH_BYTES:
            yield response
            response, size = log_pb2.ReadLogsResponse(), 0
    if response.chunks:
        yield response


async def _either(*waits: Callable[[], Any]) -> None:
    """Returns with the first of the waits, or after a second: a run's end sets no event of the logs."""
    tasks = [asyncio.ensure_future(wait()) for wait in waits]
    try:
        await asyncio.wait(tasks, timeout=_POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
