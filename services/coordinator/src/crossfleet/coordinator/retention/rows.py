"""Removes runs, and what belongs to them in SQL, in batches so small that no commit waits long for one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from crossfleet.coordinator.ledger import retention_queries
from crossfleet.coordinator.ledger.queries import Queries
from crossfleet.coordinator.ledger.store import Cleaning
from crossfleet.coordinator.retention.policy import Horizon
from crossfleet.foundation.clock import Clock

Clean = Callable[[Cleaning], Awaitable[int]]
_AT_ONCE = 100
# A commit that comes while a batch is removed waits for the rest of it.
_BATCH_SECONDS = 0.01
_FEWEST, _MOST = 50, 5_000
# Of the ledger's time a quarter at most.
_REST = 3.0


@dataclass(slots=True)
class Removed:
    """What a pass has removed, or would."""

    runs: int = 0
    cases: int = 0
    artifacts: int = 0
    logs: int = 0
    blobs: int = 0
    blob_bytes: int = 0
    uploads: int = 0
    workers: int = 0


class RowRetention:
    """One pass after the other, by the leader alone: each batch is fenced by its epoch."""

    def __init__(self, queries: Queries, clean: Clean, clock: Clock) -> None:
        """`clean` removes a batch; it raises what the ledger's store raises."""
        self._queries = queries
        self._clean = clean
        self._clock = clock
        self._rows = _FEWEST

    async def remove(self, horizon: Horizon, most_runs: int, removed: Removed) -> None:
        """Removes what is older than `horizon`, and what an earlier pass has left; counts in `removed`."""
        while runs := await self._queries.ask(retention_queries.old_runs, horizon.runs_before, most_runs, _AT_ONCE):
            cases, artifacts = await self._queries.ask(retention_queries.counted, list(runs))
            if not await self._batch(Cleaning(runs=runs)):
                break
            removed.runs += len(runs)
            removed.cases += cases
            removed.artifacts += artifacts
            await self._sweep()
        await self._sweep()
        while keys := await self._queries.ask(retention_queries.old_artifacts, horizon.artifacts_before, self._rows):
            removed.artifacts += await self._batch(Cleaning(artifacts=keys))
        while digests := await self._queries.ask(retention_queries.lost_collections, _AT_ONCE):
            if not await self._batch(Cleaning(collections=digests)):
                break

    async def _sweep(self) -> None:
        while groups := await self._queries.ask(retention_queries.lost_groups, _AT_ONCE):
            if not await self._batch(Cleaning(groups=groups, rows=self._rows)):
                break

    async def _batch(self, cleaning: Cleaning) -> int:
        """Removes a batch and rests; the next one is of a size that fits the time this one took."""
        began = self._clock.monotonic()
        rows = await self._clean(cleaning)
        seconds = self._clock.monotonic() - began
        if rows:
            fitting = self._rows * _BATCH_SECONDS / max(seconds, _BATCH_SECONDS / 4)
            self._rows = int(min(_MOST, max(_FEWEST, (self._rows + fitting) / 2)))
        await self._clock.sleep(max(seconds * _REST, 0.001))
        return rows
