"""Restores a backup into an empty place."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crossfleet.coordinator.artifacts.blobs import BlobStore
from crossfleet.coordinator.backup.format import BackupDamaged, BlobPiece, End, Head, OutputPiece, Rows, frames
from crossfleet.coordinator.ledger import schema, store
from crossfleet.coordinator.ledger.exporting import Portion
from crossfleet.coordinator.ledger.sql import SqlStore
from crossfleet.coordinator.logs.archive import SegmentName
from crossfleet.coordinator.logs.run_logs import RunLogs
from crossfleet.coordinator.logs.slot_log import Piece
from crossfleet.coordinator.logs.source import LogSource

_ASKED = 1_000


@dataclass(slots=True)
class Restored:
    """What a restore has done. `missing`: artifacts whose content the store does not have."""

    head: Head
    end: End
    epoch: int
    missing: int


def verify(file: Path) -> tuple[Head, End]:
    """The head and the end of a backup that is whole. Raises BackupDamaged, SchemaUnsupported, OSError."""
    head: Head | None = None
    with file.open("rb") as opened:
        for frame in frames(opened):
            if isinstance(frame, Head):
                head = frame
                if head.revision not in schema.REVISIONS:
                    raise store.SchemaUnsupported(head.revision, schema.REVISIONS[-1])
            elif isinstance(frame, End) and head is not None:
                return head, frame
    raise BackupDamaged("it has no head")


async def restore(
    file: Path, checked: tuple[Head, End], into: SqlStore, blobs: BlobStore, run_logs: RunLogs, parts: Path
) -> Restored:
    """Blobs and output first, then the ledger in one transaction: what fails leaves an empty ledger behind.

    `checked` is what `verify` answered; `parts` is a folder for blobs on their way. Raises BackupDamaged, SchemaUnsupported, NotEmpty, StoreFailed, StoreFull,
    DiskFull, ArtifactStoreUnavailable.
    """
    head, end = checked
    await asyncio.to_thread(into.check_empty)
    digests = await _content(file, _BlobsIn(blobs, parts), _OutputIn(run_logs, head.epoch))
    missing = 0
    for start in range(0, len(digests), _ASKED):
        missing += len(await blobs.missing(digests[start : start + _ASKED]))
    moved = await asyncio.to_thread(into.fill, _ledger_head(head), _portions(file), end.tables)
    return Restored(head, end, moved.epoch, missing)


async def _content(file: Path, blobs: _BlobsIn, output: _OutputIn) -> list[str]:
    """Stores blobs and output; answers the digests that artifacts have."""
    digests: set[str] = set()
    with file.open("rb") as opened:
        reading = frames(opened)
        while (frame := await asyncio.to_thread(next, reading, None)) is not None:
            if isinstance(frame, BlobPiece):
                await blobs.take(frame)
            elif isinstance(frame, OutputPiece):
                await output.take(frame)
            elif isinstance(frame, Rows) and frame.table == "artifacts":
                at = frame.columns.index("digest")
                digests.update(row[at] for row in frame.rows)
    await output.finish()
    return sorted(digests)


class _BlobsIn:
    """Puts blobs together; large ones in a file."""

    def __init__(self, blobs: BlobStore, parts: Path) -> None:
        self._blobs = blobs
        self._part = parts / "restore.part"
        self._hash = hashlib.sha256()
        self._begun = False

    async def take(self, piece: BlobPiece) -> None:
        if piece.last and not self._begun:
            await self._blobs.put(piece.digest, piece.content)
            return
        await asyncio.to_thread(self._write, piece.content)
        if not piece.last:
            return
        actual, self._hash, self._begun = self._hash.hexdigest(), hashlib.sha256(), False
        if actual != piece.digest:
            raise BackupDamaged(f"blob {piece.digest} is damaged")
        await self._blobs.adopt(piece.digest, self._part)
        self._part.unlink()

    def _write(self, content: bytes) -> None:
        self._part.parent.mkdir(parents=True, exist_ok=True)
        with self._part.open("ab" if self._begun else "wb") as part:
            part.write(content)
        self._hash.update(content)
        self._begun = True


class _OutputIn:
    """Puts output where the next leader reads it: on its disk, or sealed as that of the leader of the backup."""

    def __init__(self, run_logs: RunLogs, term: int) -> None:
        self._run_logs = run_logs
        self._term = term
        self._run_id = ""
        self._number = 0
        self._there = False

    async def take(self, piece: OutputPiece) -> None:
        if piece.run_id != self._run_id:
            await self.finish()
            self._run_id, self._number = piece.run_id, 0
            self._there = await self._has_output()
        if self._there:
            return
        source = LogSource(piece.run_id, piece.target, piece.worker_id, piece.slot)
        pieces = [Piece(stream, content, at) for stream, at, content in piece.pieces]
        archive = self._run_logs.archive
        if archive is None:
            await asyncio.to_thread(self._run_logs.store.append, source, pieces)
        else:
            await archive.put(piece.run_id, SegmentName(self._term, self._number), [(source, pieces)])
            self._number += 1

    async def finish(self) -> None:
        """The output of a run is complete."""
        archive = self._run_logs.archive
        if archive is not None and self._number:
            await archive.put(self._run_id, SegmentName(self._term, self._number, ends=True), [])
            self._number = 0

    async def _has_output(self) -> bool:
        """Whether the place still has it: with the artifact store of the backup itself."""
        archive = self._run_logs.archive
        if archive is not None:
            return bool(await archive.names(self._run_id))
        return bool(await asyncio.to_thread(self._run_logs.store.sources, self._run_id))


def _portions(file: Path) -> Iterator[Portion]:
    with file.open("rb") as opened:
        for frame in frames(opened):
            if isinstance(frame, Rows):
                yield frame.table, frame.columns, list(frame.rows)


def _ledger_head(head: Head) -> store.Head:
    return store.Head(
        epoch=head.epoch,
        seq=head.seq,
        next_attempt=head.next_attempt,
        next_task=head.next_task,
        next_allocation=head.next_allocation,
        first_seq=head.first_seq,
    )
