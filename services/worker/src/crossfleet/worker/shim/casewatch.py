"""Which case of a process is executed, since when, and whether it is over its time."""

from __future__ import annotations

import time
from collections.abc import Callable

from crossfleet.worker.shim.loop import Loop, Timer

_STARTED_SECONDS = 0.25
"""A case that runs longer than this is told to the agent as started."""


class CaseWatch:
    """One timer for all cases. `late()` is called when time is up, `told(case, unix time)` for what runs long."""

    def __init__(self, loop: Loop, late: Callable[[], None], told: Callable[[str, float], None]) -> None:
        self._loop = loop
        self._late = late
        self._tell = told
        self._told = ""
        self._timer: Timer | None = None
        self._deadline = 0.0
        self._limit = 0.0
        self._since = 0.0
        self.current = ""
        self.timed_out: tuple[str, float] | None = None
        """The case that was over its time (empty: nobody had said to run), and its limit in seconds."""

    def begin(self) -> None:
        """A process starts."""
        self.current = self._told = ""
        self.timed_out = None

    def running(self, case: str) -> float:
        """Seconds since the case began; 0 where it is not the current one."""
        return self._loop.now - self._since if case and case == self.current else 0.0

    def started(self, case: str, limit: float) -> None:
        """The case has begun; `limit` in seconds, 0 for none."""
        self.current = case
        self._since = self._loop.now
        self._expect(limit)

    def between(self, limits: list[float]) -> None:
        """Nobody has said to run: the cases that are left have together what each would have."""
        self.current = ""
        self._expect(sum(limits) if all(limits) else 0.0)

    def stop(self) -> None:
        """Watch nothing."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expect(self, limit: float) -> None:
        self._limit = limit
        self._deadline = self._loop.now + limit if limit > 0 else 0.0
        if self._timer is None:
            self._timer = self._loop.call_after(min(limit or _STARTED_SECONDS, _STARTED_SECONDS), self._look)

    def _look(self) -> None:
        now = self._loop.now
        left = self._deadline - now if self._deadline else _STARTED_SECONDS
        if left <= 0.001 and self.timed_out is None:
            self.timed_out = (self.current, self._limit)
            self._late()
        if self.current and self.current != self._told and now - self._since >= _STARTED_SECONDS * 0.9:
            self._told = self.current
            self._tell(self.current, time.time() - (now - self._since))
        self._timer = self._loop.call_after(min(max(left, 0.01), _STARTED_SECONDS), self._look)
