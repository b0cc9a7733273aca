"""Output on the disk of this coordinator, below one folder: RUN/TARGET/WORKER/SLOT.log."""

from __future__ import annotations

import asyncio
import errno
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from crossfleet.coordinator.artifacts.blobs import disk_full
from crossfleet.coordinator.logs.slot_log import Piece, SlotLog
from crossfleet.coordinator.logs.source import LogSource, is_plain

_LOCKS = 64


class LogStore:
    """Takes output in any order of slots and reads it back. Its methods wait for the disk: call them in threads."""

    def __init__(self, folder: Path, *, slot_cap_bytes: int) -> None:
        """Keeps at most `slot_cap_bytes` of each slot of each run below `folder`."""
        self._folder = folder
        self._cap = slot_cap_bytes
        # Two streams of a worker that came back may carry output of one slot.
        self._locks = tuple(threading.Lock() for _ in range(_LOCKS))

    def append(self, source: LogSource, pieces: list[Piece]) -> int:
        """Stores pieces of one slot; answers the bytes stored. Raises DiskFull."""
        try:
            with self._locks[hash(source) % _LOCKS]:
                return self._log(source).append(pieces)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise disk_full(self._folder) from None
            raise

    def runs(self) -> list[str]:
        """Runs that have output here."""
        return sorted(path.name for path in self._folder.iterdir()) if self._folder.exists() else []

    def sources(self, run_id: str) -> list[LogSource]:
        """What has output in a run, by name."""
        if not is_plain(run_id):
            return []
        found = sorted((self._folder / run_id).glob("*/*/*.index"))
        return [LogSource(run_id, path.parts[-3], path.parts[-2], int(path.stem)) for path in found]

    def read(self, source: LogSource, start: int, most_bytes: int) -> list[Piece]:
        """The pieces of one slot from number `start` on, until they have about `most_bytes`."""
        return list(_some(self._log(source).read(start), most_bytes))

    def remove(self, run_id: str) -> None:
        """Removes the output of a run."""
        if is_plain(run_id):
            shutil.rmtree(self._folder / run_id, ignore_errors=True)

    def _log(self, source: LogSource) -> SlotLog:
        path = self._folder / source.run_id / source.target / source.worker_id / f"{source.slot}.log"
        return SlotLog(path, self._cap)


def _some(pieces: Iterator[Piece], most_bytes: int) -> Iterator[Piece]:
    size = 0
    for piece in pieces:
        yield piece
        size += len(piece.content)
        if size >= most_bytes:
            return


class Followers:
    """Who waits for output of which run."""

    def __init__(self) -> None:
        """Nobody waits."""
        self._events: dict[str, set[asyncio.Event]] = {}

    def tell(self, run_id: str) -> None:
        """Output of a run has come."""
        for event in self._events.get(run_id, ()):
            event.set()

    def join(self, run_id: str) -> asyncio.Event:
        """An event that is set whenever output of the run comes; to be given back by `leave`."""
        event = asyncio.Event()
        self._events.setdefault(run_id, set()).add(event)
        return event

    def leave(self, run_id: str, event: asyncio.Event) -> None:
        """Ends what `join` began."""
        events = self._events.get(run_id, set())
        events.discard(event)
        if not events:
            self._events.pop(run_id, None)
