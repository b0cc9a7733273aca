"""Forgets workers that have been gone for long: pilots and other short lives leave a name each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from crossfleet.coordinator.core.commands import Command, ForgetWorkers
from crossfleet.coordinator.core.departing import Memory, departed
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.retention.rows import Removed
from crossfleet.foundation.clock import Clock

_AT_ONCE = 200
_REST_SECONDS = 0.01


class WorkerRetention:
    """By commands, since what is forgotten is part of the state on which is decided."""

    def __init__(self, state: Callable[[], State], commit: Callable[[Command], Awaitable[Any]], clock: Clock) -> None:
        """`state` answers the state as committed; `commit` raises CrossfleetError."""
        self._state = state
        self._commit = commit
        self._clock = clock

    def foreseen(self, memory: Memory) -> int:
        """How many would be forgotten now."""
        return len(departed(self._state(), memory))

    async def remove(self, memory: Memory, removed: Removed) -> None:
        """Forgets, a few at a time; counts in `removed`. Raises CrossfleetError."""
        names = departed(self._state(), memory)
        for start in range(0, len(names), _AT_ONCE):
            some = tuple(names[start : start + _AT_ONCE])
            await self._commit(ForgetWorkers(some))
            removed.workers += len(some)
            await self._clock.sleep(_REST_SECONDS)
