"""An election among coordinators of one process."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field

from crossfleet.coordinator.election.port import Leader


@dataclass(eq=False)
class MemoryTerm:
    """Lasts until it is lost or given up."""

    urn: Urn
    revision: int
    cluster: str = "memory"
    left: float = math.inf
    lost: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def remaining(self) -> float:
        return self.left

    async def wait_lost(self) -> str:
        return await asyncio.shield(self.lost)

    async def resign(self) -> None:
        self.end("given up")

    def end(self, cause: str) -> None:
        """It is over, and whoever comes next leads."""
        self.left = 0.0
        if not self.lost.done():
            self.lost.set_result(cause)
        self.urn.leave(self)


class Urn:
    """What all coordinators share: who leads, and how many were elected."""

    def __init__(self) -> None:
        self.leader: Leader | None = None
        self.term: MemoryTerm | None = None
        self.elected = 0
        self.changed = asyncio.Event()

    def elect(self, me: Leader) -> MemoryTerm:
        self.elected += 1
        self.leader, self.term = me, MemoryTerm(self, self.elected)
        self._tell()
        return self.term

    def leave(self, term: MemoryTerm) -> None:
        if self.term is term:
            self.leader = self.term = None
            self._tell()

    def _tell(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


@dataclass(eq=False)
class MemoryElection:
    """As election.port.Election. `stands` says whether it is elected when there is nobody."""

    urn: Urn
    stands: bool = True

    def leader(self) -> Leader | None:
        return self.urn.leader

    async def wait_changed(self) -> None:
        await self.urn.changed.wait()

    async def campaign(self, me: Leader) -> MemoryTerm:
        while self.urn.term is not None or not self.stands:
            await self.urn.changed.wait()
        return self.urn.elect(me)

    def stand(self, stands: bool = True) -> None:
        """From now on it may be elected, or not."""
        self.stands = stands
        self.urn._tell()

    async def close(self) -> None:
        pass
