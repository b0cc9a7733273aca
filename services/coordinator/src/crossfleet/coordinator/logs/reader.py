"""Reads the output of one run, from wherever it lies, and remembers how far it has read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

from crossfleet.api.coordinator.v1.log_service_pb2 import LOG_STREAM_SYSTEM
from crossfleet.coordinator.logs.archive import LogArchive, Segment, SegmentName
from crossfleet.coordinator.logs.slot_log import Piece
from crossfleet.coordinator.logs.source import LogSource
from crossfleet.coordinator.logs.store import LogStore
from crossfleet.foundation.errors import ArtifactStoreUnavailable

_BATCH_BYTES = 1 << 20
_LOOK_SECONDS = 0.2
_LOST = b"[a coordinator was lost here: what was written in the seconds before may be missing]\n"

Found = tuple[LogSource, Piece]


class LogReader:
    """Of each slot first what earlier leaders sealed, then what this one has on its disk."""

    def __init__(
        self,
        store: LogStore,
        archive: LogArchive | None,
        term: int,
        run_id: str,
        target: str,
        worker_id: str,
        closing_until: float = 0.0,
    ) -> None:
        """Made by RunLogs.reader; `term` is that of this leader, 0 where it does not lead.

        Until `closing_until` (monotonic seconds) the last leader may still be sealing what it had.
        """
        self._closing_until = closing_until
        self._store = store
        self._archive = archive
        self._term = term
        self._run_id = run_id
        self._filter = (target, worker_id)
        self._read: dict[LogSource, int] = {}
        self._names: set[SegmentName] = set()
        self._last: SegmentName | None = None
        self._active: list[LogSource] = []
        self._archived = archive is None

    async def following(self) -> AsyncIterator[Found]:
        """What was stored since the last call, in order for each slot. Raises ArtifactStoreUnavailable where nothing can be read."""
        away: ArtifactStoreUnavailable | None = None
        if self._archive is not None and not self._archived:
            try:
                async for found in self._sealed(self._archive):
                    yield found
                # Earlier terms are over: only who does not lead has to look again.
                self._archived = self._term > 0
            except ArtifactStoreUnavailable as error:
                away = error
        own = False
        async for found in self._on_disk():
            own = True
            yield found
        if away is not None and not own:
            raise away

    async def _sealed(self, archive: LogArchive) -> AsyncIterator[Found]:
        for name in await self._earlier(archive):
            if name in self._names:
                continue
            for found in self._break(name.term):
                yield found
            segment = await archive.get(self._run_id, name)
            for found in self._of(segment):
                yield found
            self._names.add(name)
            self._last = name
            self._active = [source for source, _ in segment]
        if self._term:
            for found in self._break(self._term):
                yield found

    async def _earlier(self, archive: LogArchive) -> list[SegmentName]:
        while True:
            names = [name for name in await archive.names(self._run_id) if name.term != self._term]
            if not names or names[-1].ends or time.monotonic() >= self._closing_until:
                return names
            await asyncio.sleep(_LOOK_SECONDS)

    def _of(self, segment: Segment) -> Iterator[Found]:
        for source, pieces in segment:
            if source.within(*self._filter):
                for piece in pieces:
                    yield source, piece

    def _break(self, term: int) -> Iterator[Found]:
        """A mark for each slot that wrote just before its leader was lost, once a later term follows."""
        last, self._last = self._last, None if self._last and self._last.term != term else self._last
        if last is None or last.term == term or last.ends:
            return
        for source in self._active:
            if source.within(*self._filter):
                yield source, Piece(LOG_STREAM_SYSTEM, _LOST, 0.0)

    async def _on_disk(self) -> AsyncIterator[Found]:
        for source in await asyncio.to_thread(self._store.sources, self._run_id):
            if not source.within(*self._filter):
                continue
            while pieces := await asyncio.to_thread(self._store.read, source, self._read.get(source, 0), _BATCH_BYTES):
                for piece in pieces:
                    self._read[source] = self._read.get(source, 0) + 1
                    yield source, piece
