"""The election of a coordinator that is alone: who holds the lock of the data folder leads."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, field

from crossfleet.coordinator.election.port import Leader


@dataclass(slots=True)
class SoloTerm:
    """Lasts as long as the lock. A lock has no revisions: each take-over counts as a later one."""

    cluster: str = ""
    revision: int = field(default_factory=time.time_ns)

    def remaining(self) -> float:
        """No end: the system lets nobody else in."""
        return math.inf

    async def wait_lost(self) -> str:
        """Waits for ever."""
        await asyncio.Event().wait()
        return ""

    async def resign(self) -> None:
        """Nothing to give: the lock goes with the process."""


class SoloElection:
    """Won at once: made only where the folder's lock is held."""

    def __init__(self) -> None:
        """Nobody leads yet."""
        self._leader: Leader | None = None

    def leader(self) -> Leader | None:
        """This process, once it was elected."""
        return self._leader

    async def wait_changed(self) -> None:
        """Waits for ever: whoever else wants the folder is refused."""
        await asyncio.Event().wait()

    async def campaign(self, me: Leader) -> SoloTerm:
        """Elected."""
        self._leader = me
        return SoloTerm()

    async def close(self) -> None:
        """Nothing to let go of."""
