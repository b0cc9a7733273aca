"""How long cases are expected to take: by the fleet's own history first, then by what the run's client knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crossfleet.coordinator.artifacts.blobs import BlobStore
from crossfleet.coordinator.artifacts.durations import given_durations
from crossfleet.coordinator.ledger.queries import Queries


class Estimates:
    """Asks both."""

    def __init__(self, queries: Queries, blobs: BlobStore) -> None:
        self._queries = queries
        self._blobs = blobs

    async def given(self, digest: str) -> Mapping[str, float]:
        """Seconds by case id that a client uploaded; nothing for an empty digest."""
        return await given_durations(self._blobs, digest) if digest else {}

    async def time_limits(self, key: str, kindred: Sequence[str], case_ids: Sequence[str]) -> tuple[float, ...]:
        """Time limits of each case by the fleet's own history, 0.0 where it has none; empty when it has none of any."""
        return await self._queries.time_limits(key, kindred, case_ids)

    async def known(
        self, key: str, kindred: Sequence[str], case_ids: Sequence[str], given: Mapping[str, float]
    ) -> tuple[float, ...]:
        """Seconds of each case, 0.0 where nothing is known; empty when nothing is known of any.

        `key` is that of the suite's history, `kindred` are those from which unknown cases may be borrowed.
        """
        measured = await self._queries.estimates(key, kindred, case_ids)
        if not given:
            return measured
        own = measured or (0.0,) * len(case_ids)
        filled = tuple(seconds or given.get(case_id, 0.0) for case_id, seconds in zip(case_ids, own, strict=True))
        return filled if any(filled) else ()
