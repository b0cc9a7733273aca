"""The end of a run's sessions, which write summaries and, where they run in place, the caches that a next run reads."""

from __future__ import annotations

import asyncio
import time

from crossfleet.client import Client
from crossfleet.foundation.errors import CrossfleetError

MOST_SECONDS = 60.0
LAST_WORDS_SECONDS = 10.0
"""On a fleet that stays: what sessions say and write at their end is as good as lost for who does not wait for it."""
_EVERY = 0.01


async def sessions_ended(client: Client, run_id: str, seconds: float = MOST_SECONDS) -> bool:
    """Wait until no worker holds slots for a finished run, at most this long; says whether that is so.

    Pytest's last words come then (its hooks at the end of a session, its summary, the cache of last failures), and the
    files that cases left are stored: large ones take their time.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            run = await client.runs.get(run_id)
        except CrossfleetError:
            return False  # the fleet is going away: nothing can be waited for
        if not any(target.worker_ids for target in run.targets):
            return True
        await asyncio.sleep(_EVERY)
    return False
