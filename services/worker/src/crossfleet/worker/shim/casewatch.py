"""Which case of a program is executed, since when, and whether it is over its time."""

from __future__ import annotations

import time
from collections.abc import Callable

from crossfleet.worker.shim.caseclock import CaseClock
from crossfleet.worker.shim.loop import Loop


class CaseWatch:
    """Names what a CaseClock times. `late()` is called when time is up, `told(case, unix time)` for what runs long."""

    def __init__(self, loop: Loop, late: Callable[[], None], told: Callable[[str, float], None]) -> None:
        self._clock = CaseClock(loop, self._over_limit, self._lasts, _nothing)
        self._late = late
        self._tell = told
        self._told = ""
        self.current = ""
        self.timed_out: tuple[str, float] | None = None
        """The case that was over its time (empty: nobody had said to run), and its limit in seconds."""

    def begin(self) -> None:
        """A process starts."""
        self.current = self._told = ""
        self.timed_out = None

    def running(self, case: str) -> float:
        """Seconds since the case began; 0 where it is not the current one."""
        return self._clock.seconds if case and case == self.current else 0.0

    def started(self, case: str, limit: float) -> None:
        """The case has begun; `limit` in seconds, 0 for none."""
        self.current = case
        self._clock.start(limit)

    def between(self, limits: list[float]) -> None:
        """Nobody has said to run: the cases that are left have together what each would have."""
        self.current = ""
        self._clock.start(sum(limits) if all(limits) else 0.0)

    def stop(self) -> None:
        """Watch nothing."""
        self._clock.stop()

    def _over_limit(self) -> None:
        if self.timed_out is None:
            self.timed_out = (self.current, self._clock.limit)
            self._late()

    def _lasts(self, seconds: float) -> None:
        if self.current and self.current != self._told:
            self._told = self.current
            self._tell(self.current, time.time() - seconds)


def _nothing() -> None:
    return None
