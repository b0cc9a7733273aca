"""Leaving when there is nothing to do, for workers that are lent a host."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from crossfleet.worker.core.link import Link

_LOOK_SECONDS = 1.0


async def idle(link: Link, artifacts_wait: Callable[[], bool], seconds: float) -> None:
    """Return once the worker has held nothing, and owed nothing, for so many seconds without a break.

    It need not be connected: with a coordinator that does not come back nothing is to be expected either.
    """
    loop = asyncio.get_running_loop()
    since, taken = loop.time(), link.holdings.taken
    while (left := since + seconds - loop.time()) > 0:
        await asyncio.sleep(min(left, _LOOK_SECONDS))
        # What came and went between two looks counts too.
        if link.holdings or link.window.unacknowledged or link.holdings.taken != taken or artifacts_wait():
            since, taken = loop.time(), link.holdings.taken
