"""Makes a backup of a fleet that works on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from crossfleet.coordinator.artifacts.blobs import BlobStore
from crossfleet.coordinator.backup.format import MAGIC, BlobPiece, Frame, Head, OutputPiece, Rows, Writer
from crossfleet.coordinator.ledger import store, tables
from crossfleet.coordinator.ledger.queries import Queries
from crossfleet.coordinator.logs.run_logs import RunLogs
from crossfleet.coordinator.logs.source import LogSource
from crossfleet.foundation.errors import BlobNotFound

_PIECE_BYTES = 1 << 20


async def backup(
    queries: Queries, artifacts: tuple[BlobStore, RunLogs] | None, version: str, now: float
) -> AsyncIterator[bytes]:
    """The bytes of a backup as of now, in pieces of any size. With `artifacts` their blobs and the output of runs are in it."""
    writer = Writer()
    yield MAGIC
    async for frame in _frames(queries, artifacts, version, now):
        yield await asyncio.to_thread(writer.add, frame)
    yield writer.end()


async def _frames(
    queries: Queries, artifacts: tuple[BlobStore, RunLogs] | None, version: str, now: float
) -> AsyncIterator[Frame]:
    async for portion in queries.export():
        if isinstance(portion, store.Head):
            yield _head(portion, version, now)
        else:
            name, columns, rows = portion
            yield Rows(name, columns, [list(row) for row in rows])
    if artifacts is not None:
        async for frame in _blobs(artifacts[0]):
            yield frame
        async for frame in _outputs(artifacts[1]):
            yield frame


def _head(head: store.Head, version: str, now: float) -> Head:
    return Head(
        now,
        version,
        tables.REVISION,
        head.epoch,
        head.seq,
        head.next_attempt,
        head.next_task,
        head.next_allocation,
        head.first_seq,
    )


async def _blobs(blobs: BlobStore) -> AsyncIterator[Frame]:
    async for some in blobs.listed():
        for one in some:
            sent = 0
            try:
                async for content in blobs.read(one.digest):
                    sent += len(content)
                    yield BlobPiece(one.digest, content, sent >= one.size)
            except BlobNotFound:
                continue  # it was removed since it was listed, so nothing in the ledger needs it
            if not one.size:
                yield BlobPiece(one.digest, b"", last=True)


async def _outputs(run_logs: RunLogs) -> AsyncIterator[Frame]:
    for run_id in await run_logs.runs():
        of: LogSource | None = None
        pieces: list[tuple[int, float, bytes]] = []
        size = 0
        async for source, piece in run_logs.reader(run_id).following():
            if of is not None and (source != of or size >= _PIECE_BYTES):
                yield OutputPiece(of.run_id, of.target, of.worker_id, of.slot, pieces)
                pieces, size = [], 0
            of = source
            pieces.append((piece.stream, piece.at, piece.content))
            size += len(piece.content)
        if of is not None:
            yield OutputPiece(of.run_id, of.target, of.worker_id, of.slot, pieces)
