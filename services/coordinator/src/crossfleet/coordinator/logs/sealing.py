"""Seals the output of one leader's term: copies what has grown on its disk into segments of the shared archive."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable

from crossfleet.coordinator.logs.archive import LogArchive, Segment, SegmentName
from crossfleet.coordinator.logs.source import LogSource
from crossfleet.coordinator.logs.store import LogStore

_SEGMENT_BYTES = 4 << 20


class Sealing:
    """Knows how much of each slot is sealed. Every method raises ArtifactStoreUnavailable, and can then be called again."""

    def __init__(self, archive: LogArchive, store: LogStore, term: int) -> None:
        """Copies from `store`, whose files are those of `term` alone."""
        self._archive = archive
        self._store = store
        self._term = term
        self._sealed: dict[str, Counter[LogSource]] = {}
        self._numbers: Counter[str] = Counter()

    async def seal(self, run_id: str, sources: Iterable[LogSource]) -> None:
        """Seals what these slots of a run have written since the last call."""
        done = self._sealed.setdefault(run_id, Counter())
        ordered = sorted(sources, key=lambda one: (one.target, one.worker_id, one.slot))
        while segment := await asyncio.to_thread(self._unsealed, ordered, done):
            await self._put(run_id, segment)
            done.update({source: len(pieces) for source, pieces in segment})

    async def end(self, run_id: str) -> None:
        """Says that nothing of a run's output in this term is missing; the files are not needed any more."""
        await self._put(run_id, [], ends=True)
        await asyncio.to_thread(self._store.remove, run_id)
        self.forget(run_id)

    async def finish(self, run_id: str) -> None:
        """Goes on where a leader that was killed has stopped, to the end."""
        names = [name for name in await self._archive.names(run_id) if name.term == self._term]
        done = self._sealed[run_id] = Counter()
        for name in names:
            done.update({source: len(pieces) for source, pieces in await self._archive.get(run_id, name)})
        self._numbers[run_id] = len(names)
        if not any(name.ends for name in names):
            await self.seal(run_id, await asyncio.to_thread(self._store.sources, run_id))
        await self.end(run_id)

    def forget(self, run_id: str) -> None:
        """The output of a run was removed."""
        self._sealed.pop(run_id, None)
        self._numbers.pop(run_id, None)

    async def _put(self, run_id: str, segment: Segment, *, ends: bool = False) -> None:
        await self._archive.put(run_id, SegmentName(self._term, self._numbers[run_id], ends), segment)
        self._numbers[run_id] += 1

    def _unsealed(self, sources: list[LogSource], done: Counter[LogSource]) -> Segment:
        left = _SEGMENT_BYTES
        segment: Segment = []
        for source in sources:
            pieces = self._store.read(source, done[source], left) if left > 0 else []
            if pieces:
                segment.append((source, pieces))
                left -= sum(len(piece.content) for piece in pieces)
        return segment
