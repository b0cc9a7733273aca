"""Time as a port: the real clock, and one for tests that jumps."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from typing import Protocol

_BOOT_TIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)


class Clock(Protocol):
    """What time it is, and waiting."""

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC; may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds from some beginning; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Returns after `seconds`."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds of CLOCK_MONOTONIC."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """As asyncio.sleep."""
        await asyncio.sleep(seconds)


class SleeplessClock(SystemClock):
    """As SystemClock; its monotonic time goes on while the machine is suspended, where the system has such a clock.

    For what others count too, as leases.
    """

    def monotonic(self) -> float:
        """Seconds of CLOCK_BOOTTIME, or else of CLOCK_MONOTONIC."""
        return time.monotonic() if _BOOT_TIME is None else time.clock_gettime(_BOOT_TIME)


class ManualClock:
    """Stands still until `advance`; both times move together, sleepers wake in the order of their time."""

    def __init__(self, start: float = 0.0) -> None:
        self._time = start
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def now(self) -> float:
        """The time set."""
        return self._time

    def monotonic(self) -> float:
        """The time set."""
        return self._time

    @property
    def sleepers(self) -> int:
        """How many tasks wait for this clock."""
        return sum(not future.done() for _, _, future in self._sleepers)

    async def sleep(self, seconds: float) -> None:
        """Returns when `advance` has passed `seconds`."""
        if seconds <= 0:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._time + seconds, next(self._numbers), future))
        await future

    def advance(self, seconds: float) -> None:
        """Moves time on and wakes whoever is due (they run when the caller yields to the loop)."""
        self._time += seconds
        while self._sleepers and self._sleepers[0][0] <= self._time:
            future = heapq.heappop(self._sleepers)[2]
            if not future.done():
                future.set_result(None)
