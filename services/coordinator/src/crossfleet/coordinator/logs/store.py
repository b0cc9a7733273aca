"""The logs of all runs below one folder: RUN/TARGET/WORKER/SLOT.log."""

from __future__ import annotations

import asyncio
import errno
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crossfleet.coordinator.artifacts.blobs import disk_full
from crossfleet.coordinator.logs.slot_log import Piece, SlotLog

_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True, slots=True)
class LogSource:
    """Whose output it is; slot -1 is the process that collects."""

    run_id: str
    target: str
    worker_id: str
    slot: int

    def valid(self) -> bool:
        """Whether its parts can be names of folders."""
        return all(_PLAIN.fullmatch(part) for part in (self.run_id, self.target, self.worker_id))


class LogStore:
    """Takes output in any order of slots and reads it back by run, live if asked."""

    def __init__(self, folder: Path, *, slot_cap_bytes: int) -> None:
        """Keeps at most `slot_cap_bytes` of each slot of each run below `folder`."""
        self._folder = folder
        self._cap = slot_cap_bytes
        self._followers: dict[str, set[asyncio.Event]] = {}

    def append(self, source: LogSource, pieces: list[Piece]) -> int:
        """Stores pieces of one slot; answers the bytes stored. Raises DiskFull."""
        try:
            stored = self._log(source).append(pieces)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise disk_full(self._folder) from None
            raise
        for follower in self._followers.get(source.run_id, ()):
            follower.set()
        return stored

    def _log(self, source: LogSource) -> SlotLog:
        path = self._folder / source.run_id / source.target / source.worker_id / f"{source.slot}.log"
        return SlotLog(path, self._cap)

    def sources(self, run_id: str, target: str = "", worker_id: str = "") -> list[LogSource]:
        """What has output in a run, by name."""
        if not _PLAIN.fullmatch(run_id):
            return []
        found = sorted((self._folder / run_id).glob("*/*/*.index"))
        sources = [LogSource(run_id, path.parts[-3], path.parts[-2], int(path.stem)) for path in found]
        return [one for one in sources if target in ("", one.target) and worker_id in ("", one.worker_id)]

    def reader(self, run_id: str, target: str = "", worker_id: str = "") -> LogReader:
        """A reader of a run's output, optionally of one target or worker."""
        return LogReader(self, run_id, target, worker_id)

    def follow(self, run_id: str) -> asyncio.Event:
        """An event that is set whenever output of the run comes; to be given back by unfollow."""
        event = asyncio.Event()
        self._followers.setdefault(run_id, set()).add(event)
        return event

    def unfollow(self, run_id: str, event: asyncio.Event) -> None:
        """Ends a follow."""
        followers = self._followers.get(run_id, set())
        followers.discard(event)
        if not followers:
            self._followers.pop(run_id, None)

    def read(self, source: LogSource, position: int) -> Iterator[tuple[int, Piece]]:
        """The pieces of one slot from a position on, each with the position behind it."""
        return self._log(source).read(position)


class LogReader:
    """Remembers how far each slot was read."""

    def __init__(self, store: LogStore, run_id: str, target: str, worker_id: str) -> None:
        """Made by LogStore.reader."""
        self._store = store
        self._filter = (run_id, target, worker_id)
        self._positions: dict[LogSource, int] = {}

    def following(self) -> Iterator[tuple[LogSource, Piece]]:
        """What was stored since the last call, in order for each slot."""
        for source in self._store.sources(*self._filter):
            for position, piece in self._store.read(source, self._positions.get(source, 0)):
                self._positions[source] = position
                yield source, piece
