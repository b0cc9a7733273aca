"""Which case a process executes, since when, and whether it is over its time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

from crossfleet.worker.shim.caseclock import CaseClock
from crossfleet.worker.shim.loop import Loop

CaseT = TypeVar("CaseT")


class CaseWatch(Generic[CaseT]):
    """Names what a CaseClock times; ``nothing`` is the name of no case.

    ``late()`` is called when time is up, ``told(case, unix time)`` for what runs long, ``exit_overdue()`` when the process
    should have ended.
    """

    def __init__(
        self,
        loop: Loop,
        nothing: CaseT,
        late: Callable[[], None],
        told: Callable[[CaseT, float], None],
        exit_overdue: Callable[[], None] = lambda: None,
    ) -> None:
        self._clock = CaseClock(loop, self._over_limit, self._lasts, exit_overdue)
        self._nothing = nothing
        self._late = late
        self._tell = told
        self._told = nothing
        self.current = nothing
        self.timed_out: tuple[CaseT, float] | None = None
        """The case that was over its time (nothing: nobody had said to run), and its limit in seconds."""

    def begin(self) -> None:
        """A process starts."""
        self.current = self._told = self._nothing
        self.timed_out = None

    def running(self, case: CaseT) -> float:
        """Seconds since the case began; 0 where it is not the current one."""
        return self._clock.seconds if case and case == self.current else 0.0

    def started(self, case: CaseT, limit: float) -> None:
        """The case has begun; `limit` in seconds, 0 for none."""
        self.current = case
        self._clock.start(limit)

    def between(self, limits: list[float]) -> None:
        """Nobody has said to run: the cases that are left have together what each would have."""
        self.current = self._nothing
        self._clock.start(sum(limits) if all(limits) else 0.0)

    def pause(self, case: CaseT) -> None:
        """Nothing is timed: no case has begun, or nobody wants to know of this one any more."""
        self.current = case
        self._clock.pause()

    def watch_exit(self, *, wanted: bool) -> None:
        """After the last case only the exit is left, which must not last for ever."""
        self._clock.watch_exit(wanted=wanted)

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
