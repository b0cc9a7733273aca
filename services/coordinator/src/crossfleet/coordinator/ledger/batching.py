"""How many commands a batch takes, and what comes between two batches, so that nobody waits for long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

_LEAST, _MOST = 8, 128
# What the loop is kept for by one batch, while it serves nobody else.
_TURN_SECONDS = 0.004
_WEIGHT = 0.1
# A call, or a message to a worker, goes through some turns of the loop; with a batch in each of them it would wait for as many.
_TURNS_BETWEEN = 8
_NOTHING_SECONDS = 0.0001


class BatchSize:
    """As many commands as were carried out within one turn lately; more in one transaction saves little.

    A command that takes long by itself, such as a run of many cases, says nothing of the others: it counts as one turn.
    """

    def __init__(self, turn: float = _TURN_SECONDS) -> None:
        """Begins with the largest batch; `turn` in seconds."""
        self._turn = turn
        self._each = turn / _MOST

    @property
    def most(self) -> int:
        """Commands of the next batch."""
        return min(max(int(self._turn / self._each), _LEAST), _MOST)

    def took(self, commands: int, seconds: float) -> None:
        """A batch kept the loop for so long."""
        each = min(max(seconds, 1e-6) / commands, self._turn)
        self._each += _WEIGHT * (each - self._each)


async def let_others(stopwatch: Callable[[], float]) -> None:
    """Some turns of the loop without a batch: until it has nothing else to do, or for so many. `stopwatch` gives seconds."""
    for _ in range(_TURNS_BETWEEN):
        began = stopwatch()
        await asyncio.sleep(0)
        if stopwatch() - began < _NOTHING_SECONDS:
            return
