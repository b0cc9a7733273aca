"""Looks every now and then for what is kept no longer, and removes it; says beforehand what that would be."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from crossfleet.coordinator.artifacts.blobs import BlobStore
from crossfleet.coordinator.artifacts.owner import owns
from crossfleet.coordinator.ledger import retention_queries
from crossfleet.coordinator.ledger.queries import Queries
from crossfleet.coordinator.ledger.store import Deposed, StoreFailed, StoreFull
from crossfleet.coordinator.logs.run_logs import RunLogs
from crossfleet.coordinator.retention.blobs import RECENT_SECONDS, BlobRetention
from crossfleet.coordinator.retention.policy import Horizon, RetentionSettings, horizon
from crossfleet.coordinator.retention.rows import Clean, Removed, RowRetention
from crossfleet.coordinator.retention.workers import WorkerRetention
from crossfleet.foundation.clock import Clock
from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.logs import get_logger

_FIRST_SECONDS = 60.0
_MINUTE = 60.0
_MOST_COUNTED = 1_000_000


class Retention:
    """By policy: workers that have gone, runs with what belongs to them in SQL, then their output, then blobs, then uploads that were given up."""

    def __init__(
        self,
        policy: RetentionSettings,
        queries: Queries,
        clean: Clean,
        workers: WorkerRetention,
        identify: Callable[[str], Awaitable[str]],
        fence: Callable[[], Awaitable[None]],
        blobs: BlobStore,
        run_logs: RunLogs,
        uploads: Path,
        clock: Clock,
    ) -> None:
        """`clean` removes rows by the ledger's writer, `identify` answers its fleet, `fence` raises where another one leads; `uploads` is the folder of part files."""
        self.policy = policy
        self._queries = queries
        self._rows = RowRetention(queries, clean, clock)
        self._workers = workers
        self._blobs = BlobRetention(queries, blobs, fence)
        self._store = blobs
        self._identify = identify
        self._fence = fence
        self._told = False
        self._run_logs = run_logs
        self._uploads = uploads
        self._clock = clock
        self.last = Removed()
        self.last_at = 0.0
        """When the last pass ended, in unix seconds; 0.0 before the first."""

    async def keep_removing(self) -> None:
        """A pass every `every_minutes`, until cancelled. What fails is tried again in the next pass."""
        await self._clock.sleep(min(_FIRST_SECONDS, self.policy.every_minutes * _MINUTE))
        while True:
            self.last = await self.remove()
            self.last_at = self._clock.now()
            if self.last != Removed():
                get_logger().info("retention removed", **_plain(self.last))
            await self._clock.sleep(self.policy.every_minutes * _MINUTE)

    async def remove(self) -> Removed:
        """One pass. Faults of one part are logged and do not keep another from its work."""
        removed = Removed()
        now = horizon(self.policy, self._clock.now())
        steps: tuple[Callable[[], Awaitable[None]], ...] = (
            lambda: self._workers.remove(now.workers, removed),
            lambda: self._rows.remove(now, self.policy.runs, removed),
            lambda: self._remove_stored(now, removed),
            lambda: self._remove_uploads(now, removed),
        )
        for step in steps:
            try:
                await step()
            except Deposed:
                break  # it shows at the next commit
            except (CrossfleetError, StoreFailed, StoreFull, SQLAlchemyError, OSError) as error:
                get_logger().warning("retention could not remove something", error=str(error))
        return removed

    async def foreseen(self) -> Removed:
        """What a pass would remove now. Raises ArtifactStoreUnavailable."""
        found = Removed()
        now = horizon(self.policy, self._clock.now())
        runs = await self._queries.ask(retention_queries.old_runs, now.runs_before, self.policy.runs, _MOST_COUNTED)
        found.runs = len(runs)
        found.workers = self._workers.foreseen(now.workers)
        found.cases, found.artifacts = await self._queries.ask(retention_queries.counted, list(runs))
        old = await self._queries.ask(retention_queries.old_artifacts, now.artifacts_before, _MOST_COUNTED)
        found.artifacts += sum(key[0] not in runs for key in old)
        await self._remove_logs(now, found, dry=True)
        await self._blobs.remove(now, found, dry=True)
        return found

    def blobs_certain(self) -> bool:
        """Whether this coordinator has led for long enough to remove blobs."""
        return self._store.recent.certain(RECENT_SECONDS)

    async def owns_store(self) -> bool:
        """Whether artifacts and output are in a store of this fleet's own. Raises ArtifactStoreUnavailable."""
        return not self._store.place.shared or await owns(self._store, await self._identify(secrets.token_hex(16)))

    async def _remove_stored(self, now: Horizon, removed: Removed) -> None:
        if await self.owns_store():
            await self._remove_logs(now, removed, dry=False)
            await self._blobs.remove(now, removed)
        elif not self._told:
            self._told = True
            get_logger().warning(
                "the artifact store is another fleet's: nothing is removed there", store=self._store.place.url
            )

    async def _remove_logs(self, now: Horizon, removed: Removed, *, dry: bool) -> None:
        there = await self._run_logs.runs()
        kept = await self._queries.ask(retention_queries.kept_runs, now.logs_before)
        for run_id in there:
            if run_id not in kept:
                if not dry:
                    await self._fence()
                    await self._run_logs.remove(run_id)
                removed.logs += 1

    async def _remove_uploads(self, now: Horizon, removed: Removed) -> None:
        removed.uploads += await asyncio.to_thread(_remove_parts, self._uploads, now.uploads_before)


def _remove_parts(folder: Path, before: float) -> int:
    parts = [part for part in folder.glob("*.part") if part.stat().st_mtime < before] if folder.exists() else []
    for part in parts:
        part.unlink(missing_ok=True)
    return len(parts)


def _plain(removed: Removed) -> dict[str, int]:
    return {name: getattr(removed, name) for name in removed.__slots__}
