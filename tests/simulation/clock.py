"""Clocks of simulated processes, ids that never repeat, and chance by name."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random

from tests.simulation.loop import SimLoop

_BEGINNING = 1_790_000_000.0


class SimClock:
    """Monotonic time is that of the process that asks; the time of day may jump."""

    def __init__(self, loop: SimLoop) -> None:
        self._loop = loop
        self.skew = 0.0

    def now(self) -> float:
        """Seconds since 1970."""
        return _BEGINNING + self._loop.now + self.skew

    def monotonic(self) -> float:
        """Seconds on the clock of this machine."""
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        """As asyncio.sleep, in simulated time."""
        await asyncio.sleep(seconds)


class SimIds:
    """Ids that carry who made them: two processes never make the same."""

    def __init__(self, maker: str) -> None:
        self._maker = maker
        self._last: Counter[str] = Counter()

    def new(self, prefix: str) -> str:
        """The next id."""
        self._last[prefix] += 1
        return f"{prefix}-{self._maker}-{self._last[prefix]}"


class Chance:
    """Independent streams of random numbers by name, so that one more draw here changes nothing there."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def stream(self, name: str) -> Random:
        """A generator that depends on seed and name only."""
        return Random(f"{self.seed}/{name}")
