"""When work was placed, as a watcher hears of it: how long it takes until it is placed again after a fault."""

from __future__ import annotations

import asyncio

from tests.chaos.facts import Fact


class Placements:
    """Of one run after the other."""

    def __init__(self) -> None:
        """None yet."""
        self._last = 0.0
        self._runs = 0
        self._news = asyncio.Event()

    def note(self, fact: Fact) -> None:
        """One more event of the run that is going on."""
        if fact.assigned:
            self._last = max(self._last, fact.at)
            self._tell()

    def over(self) -> None:
        """The run has ended: nothing more of it is placed."""
        self._runs += 1
        self._tell()

    async def next(self, since: float) -> float | None:
        """Seconds from `since`, of the clock, to the next placement of the run; None where it ended without one."""
        runs = self._runs
        while self._last < since:
            if self._runs != runs:
                return None
            await self._news.wait()
        return self._last - since

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
