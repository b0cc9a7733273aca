"""The output of runs: on the disk of the leader, and sealed in the artifact store where several coordinators share one."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

from crossfleet.coordinator.artifacts.place import Place
from crossfleet.coordinator.logs.archive import LogArchive
from crossfleet.coordinator.logs.reader import LogReader
from crossfleet.coordinator.logs.sealing import Sealing
from crossfleet.coordinator.logs.slot_log import Piece
from crossfleet.coordinator.logs.source import LogSource
from crossfleet.coordinator.logs.store import Followers, LogStore
from crossfleet.foundation.clock import Clock
from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.logs import get_logger

SEAL_SECONDS = 5.0
"""How old output gets before another coordinator can read it."""
_CLOSE_SECONDS = 10.0


class RunLogs:
    """Without a shared store the plain files are all there is. With one they are those of a term, and sealed as they grow."""

    def __init__(
        self, folder: Path, place: Place, term: int, *, slot_cap_bytes: int, closing_seconds: float = 3.0
    ) -> None:
        """`folder` is the data folder; `term` the epoch of the leader, 0 of one that only reads.

        For `closing_seconds` of its term readers wait for what the last leader still seals.
        """
        self._closing_until = time.monotonic() + closing_seconds
        self._term = term
        self._cap = slot_cap_bytes
        spools = folder / "spool"
        # As of now: a later term of this process makes a spool of its own.
        self._earlier = [spool for spool in _terms(spools) if spool.name != str(term)]
        local = spools / str(term) if place.shared else folder / "logs" / "runs"
        self.store = LogStore(local, slot_cap_bytes=slot_cap_bytes)
        self.archive = LogArchive(place) if place.shared else None
        self.followers = Followers()
        self._sealing = Sealing(self.archive, self.store, term) if self.archive and term else None
        self._grown: dict[str, set[LogSource]] = {}

    async def append(self, source: LogSource, pieces: list[Piece]) -> int:
        """Stores pieces of one slot; answers the bytes stored. Raises DiskFull."""
        stored = await asyncio.to_thread(self.store.append, source, pieces)
        if self._sealing is not None:
            self._grown.setdefault(source.run_id, set()).add(source)
        self.followers.tell(source.run_id)
        return stored

    def reader(self, run_id: str, target: str = "", worker_id: str = "") -> LogReader:
        """A reader of a run's output, optionally of one target or worker."""
        closing_until = self._closing_until if self._term else 0.0
        return LogReader(self.store, self.archive, self._term, run_id, target, worker_id, closing_until)

    async def keep_sealing(self, clock: Clock) -> None:
        """Seals until cancelled: first what earlier leaders on this data folder were killed before they sealed.

        Who does not lead, or has no shared store, has nothing more to do then. While the store is away output waits.
        """
        failed = False
        while self.archive is not None:
            try:
                await self._finish_earlier_terms(self.archive)
                if self._sealing is None:
                    return
                await self._seal(self._sealing)
                failed = False
            except (CrossfleetError, OSError) as error:
                if not failed:
                    get_logger().warning("output of runs waits on the disk", error=str(error))
                failed = True
            await clock.sleep(SEAL_SECONDS)

    async def close(self) -> None:
        """Seals what is left, within some seconds. What it cannot is sealed by the next start on this data folder."""
        if self._sealing is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._seal(self._sealing)
                for run_id in await asyncio.to_thread(self.store.runs):
                    await self._sealing.end(run_id)
        except (CrossfleetError, OSError, TimeoutError) as error:
            get_logger().warning("the last output of runs was not sealed", error=str(error))

    async def runs(self) -> list[str]:
        """Runs that have output. Raises ArtifactStoreUnavailable."""
        local = await asyncio.to_thread(self.store.runs)
        return sorted({*local, *(await self.archive.runs() if self.archive else ())})

    async def remove(self, run_id: str) -> None:
        """Removes the output of a run. Raises ArtifactStoreUnavailable."""
        if self.archive is not None:
            await self.archive.remove(run_id)
        if self._sealing is not None:
            self._sealing.forget(run_id)
        self._grown.pop(run_id, None)
        await asyncio.to_thread(self.store.remove, run_id)

    async def _seal(self, sealing: Sealing) -> None:
        for run_id in list(self._grown):
            sources = self._grown.pop(run_id)
            try:
                await sealing.seal(run_id, sources)
            except BaseException:
                self._grown.setdefault(run_id, set()).update(sources)
                raise

    async def _finish_earlier_terms(self, archive: LogArchive) -> None:
        while self._earlier:
            spool = self._earlier[0]
            store = LogStore(spool, slot_cap_bytes=self._cap)
            sealing = Sealing(archive, store, int(spool.name))
            for run_id in await asyncio.to_thread(store.runs):
                await sealing.finish(run_id)
            await asyncio.to_thread(shutil.rmtree, spool, ignore_errors=True)
            del self._earlier[0]


def _terms(spools: Path) -> list[Path]:
    found = [path for path in spools.iterdir() if path.name.isdigit()] if spools.exists() else []
    return sorted(found, key=lambda path: int(path.name))
