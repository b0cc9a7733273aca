"""A leader that takes no connections: its lease lives on for a while, and whoever is sent there comes back in vain."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from crossfleet.coordinator.election.port import Leader
from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.following.probe import probe

_PROBE_SECONDS = 1.0
_FRESH_SECONDS = 0.2
_AGAIN_SECONDS = 0.5


class Silence:
    """Whether the leader is silent: found out when somebody is to be sent there, and followed until that is over."""

    def __init__(self, leader: Callable[[], Leader | None], changed: Callable[[], None]) -> None:
        """`leader` answers who leads, elsewhere; `changed` is called when a silence begins, and when it ends."""
        self._leader = leader
        self._changed = changed
        self._silent = ""
        self._asked = ""
        self._asking: asyncio.Future[bool] | None = None
        self._heard_at = -math.inf
        self._following: asyncio.Task[None] | None = None

    def of(self, leader: Leader) -> bool:
        """Whether this leader is known to be silent."""
        return bool(self._silent) and leader.address == self._silent

    async def check(self) -> None:
        """Returns when the leader has taken a connection, now or a moment ago, or is known to be silent."""
        leader = self._leader()
        if leader is None or not leader.address or self.of(leader):
            return
        if not await self._listens(leader.address) and self._leader() == leader and not self.of(leader):
            self.close()
            self._silent = leader.address
            self._following = asyncio.create_task(self._follow(leader), name="silent leader")
            self._changed()

    def close(self) -> None:
        """Asks nobody any more."""
        if self._following is not None:
            self._following.cancel()

    async def _listens(self, address: str) -> bool:
        """One question for all who want to know at the same time."""
        now = asyncio.get_running_loop().time()
        if address != self._asked or (self._asking is None and now - self._heard_at >= _FRESH_SECONDS):
            self._asked = address
            self._asking = asyncio.ensure_future(_probed(address))
        if self._asking is None:
            return True
        asking = self._asking
        heard = await asyncio.shield(asking)
        if self._asking is asking:
            self._asking = None
            self._heard_at = asyncio.get_running_loop().time() if heard else -math.inf
        return heard

    async def _follow(self, leader: Leader) -> None:
        while self._leader() == leader:
            await asyncio.sleep(_AGAIN_SECONDS)
            if await _probed(leader.address):
                break
        self._silent = ""
        self._changed()


async def _probed(address: str) -> bool:
    try:
        await probe(address, _PROBE_SECONDS)
    except (CrossfleetError, ValueError):  # ValueError: of a host's name that none can have
        return False
    return True
