"""What messages travel on: delays, directions that are cut, and the end of a connection that gets through to nobody."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from random import Random
from typing import Any, Protocol

from tests.simulation.loop import SimLoop

_FIRST_PING, _LAST_PING = 0.5, 2.5  # simulated seconds until pings find that nothing gets through

Way = tuple[str, str]


class Connection(Protocol):
    """What a network breaks."""

    ways: tuple[Way, Way]

    def break_(self) -> None:
        """The connection is gone."""


class Wire:
    """Delays of one machine's connections. `slow` > 0 adds a heavy tail up to so many seconds."""

    def __init__(self, random: Random, spy: Callable[[str, Any], None] | None = None) -> None:
        self.random = random
        self.spy = spy
        self.slow = 0.0
        self.cut = False
        self.duplicates = 0

    def delay(self) -> float:
        """Seconds until the next message arrives."""
        base = 0.0002 + 0.001 * self.random.random()
        if self.slow and self.random.random() < 0.2:
            base += min(self.slow, 0.02 * self.random.paretovariate(0.7))
        return base


class Network:
    """Which machine reaches which: each direction may be cut on its own. What arrives meanwhile waits for the mend."""

    def __init__(self, loop: SimLoop, random: Random) -> None:
        self.loop = loop
        self._random = random
        self._cut: Counter[Way] = Counter()
        self._held: dict[Way, list[Callable[[], None]]] = {}
        self.connections: dict[int, Connection] = {}
        """Those that are open, by number."""

    def cut(self, source: str, target: str, seconds: float) -> None:
        """Nothing gets from one to the other for so long; pings of connections between them find out."""
        way = (source, target)
        self._cut[way] += 1
        for connection in self.connections.values():
            if way in connection.ways:
                late = _FIRST_PING + (_LAST_PING - _FIRST_PING) * self._random.random()
                self.loop.outside(self.loop.now + late, self._ping, connection)
        self.loop.outside(self.loop.now + seconds, self._mend, way)

    def break_all(self, machine: str) -> None:
        """Every connection that the machine has opened breaks."""
        for connection in list(self.connections.values()):
            if connection.ways[0][0] == machine:
                connection.break_()

    def heal(self) -> None:
        """Everybody reaches everybody."""
        for way in list(self._cut):
            self._cut[way] = 1
            self._mend(way)

    def blocked(self, source: str, target: str) -> bool:
        """Whether nothing gets from one to the other."""
        return bool(self._cut) and (source, target) in self._cut

    def reaches(self, one: str, other: str) -> bool:
        """Whether one can open a connection to the other."""
        return not self._cut or not (self.blocked(one, other) or self.blocked(other, one))

    def hold(self, way: Way, deliver: Callable[[], None]) -> None:
        """Deliver once the direction is mended."""
        self._held.setdefault(way, []).append(deliver)

    def _mend(self, way: Way) -> None:
        if self._cut[way] > 1:
            self._cut[way] -= 1
            return
        self._cut.pop(way, None)
        for deliver in self._held.pop(way, ()):
            deliver()

    def _ping(self, connection: Connection) -> None:
        if any(self.blocked(*way) for way in connection.ways):
            connection.break_()


class Inbox:
    """The receiving end of one direction, which one task at a time reads."""

    __slots__ = ("_reader", "ended", "items")

    def __init__(self) -> None:
        self.items: deque[Any] = deque()
        self.ended: BaseException | type[StopAsyncIteration] | None = None
        self._reader: asyncio.Future[None] | None = None

    def put(self, item: Any) -> None:
        """A message has arrived."""
        self.items.append(item)
        self._wake()

    def end(self, how: BaseException | type[StopAsyncIteration]) -> None:
        """Nothing follows."""
        if self.ended is None:
            self.ended = how
            self._wake()

    async def get(self) -> Any:
        """The next message; raises how the direction ended."""
        while not self.items:
            if self.ended is not None:
                raise self.ended
            # An asyncio.Event costs twice as much, a thousand times a seed.
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        return self.items.popleft()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
