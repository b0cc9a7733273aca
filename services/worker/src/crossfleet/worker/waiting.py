"""Waiting for what another part of the agent does, by the clock of the running loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

_POLL_SECONDS = 0.01


async def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until the condition holds, at most this long; whether it does."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not (met := condition()) and loop.time() < end:  # noqa: ASYNC110 - the condition belongs to others
        await asyncio.sleep(_POLL_SECONDS)
    return met
