"""When Python looks for rings of garbage in a process that holds a lot and must answer soon.

Nearly everything here is freed as it is let go. By itself Python would look through all that a large fleet's state holds every
half second under load, each time for a tenth of a second and more, while nobody is served.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

# Of the young, that many more made than freed; of the middle and the old, practically never: see `collect_in_peace`.
_YOUNG, _NEVER = 10_000, 1_000_000_000
# Python counts what is made less what is freed, young or old: under load it would find more and more young ones at once.
_YOUNG_SECONDS = 0.05
_MIDDLE_SECONDS = 60.0
_LOOK_SECONDS = 5.0
_LONGEST_SECONDS = 600.0


def begin() -> None:
    """What is there now is never looked through again, and what comes only in peace."""
    gc.freeze()
    gc.set_threshold(_YOUNG, _NEVER, _NEVER)


async def collect_in_peace(work: Callable[[], int]) -> None:
    """Collects once after each spell of work, when `work` stands still; and every ten minutes, if it never does. Until cancelled."""
    loop = asyncio.get_running_loop()
    seen = collected = work()
    last = loop.time()
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        now = work()
        if now != collected and (now == seen or loop.time() - last >= _LONGEST_SECONDS):
            gc.collect()
            collected, last = now, loop.time()
        seen = now


async def collect_young(work: Callable[[], int]) -> None:
    """While `work` goes on, looks through what is new so often that each look is short; and through what has outlived a look
    once a minute. Until cancelled."""
    loop = asyncio.get_running_loop()
    seen, last = work(), loop.time()
    while True:
        await asyncio.sleep(_YOUNG_SECONDS)
        now = work()
        if now != seen:
            middle = loop.time() - last >= _MIDDLE_SECONDS
            gc.collect(1 if middle else 0)
            last = loop.time() if middle else last
        seen = now
