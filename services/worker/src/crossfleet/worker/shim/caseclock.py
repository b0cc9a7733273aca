"""Times the case in flight of one slot, and the exit that follows the last one."""

from __future__ import annotations

from collections.abc import Callable

from crossfleet.worker.shim.loop import Loop, Timer

_STARTED_SECONDS = 0.25
"""A case that runs longer than this is told to the agent as started; shorter ones are not worth a message."""
_LATE_SECONDS = 1.0
"""So much later than due a limit may be noticed, rather than arm a timer for each case."""
_EXIT_SECONDS = 30.0
"""What a process has for its exit handlers after its last case; others may wait for the slot."""


class CaseClock:
    """Calls ``over_limit`` when the case has used up its limit, ``lasts`` while it runs on, ``exit_overdue`` at the end.

    One timer each serves all cases: it re-arms itself for the case that runs then.
    """

    def __init__(
        self,
        loop: Loop,
        over_limit: Callable[[], None],
        lasts: Callable[[float], None],
        exit_overdue: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._over_limit = over_limit
        self._lasts = lasts
        self._exit_overdue = exit_overdue
        self._timers: dict[str, Timer] = {}
        self._since = 0.0
        self._running = False
        self.limit = 0.0

    @property
    def seconds(self) -> float:
        """For how long the case has been running."""
        return self._loop.now - self._since

    def start(self, limit: float) -> None:
        """A case begins, with a limit in seconds (0: none)."""
        self._since = self._loop.now
        self._running = True
        self.limit = limit
        timer = self._timers.get("limit")
        if limit > 0 and (timer is None or timer.due > self._since + limit + _LATE_SECONDS):
            if timer is not None:
                timer.cancel()
            self._arm("limit", limit, self._check_limit)
        if "started" not in self._timers:
            self._arm("started", _STARTED_SECONDS, self._check_started)

    def pause(self) -> None:
        """No case is running."""
        self._running = False

    def stop(self) -> None:
        """The process has ended: nothing is due any more."""
        self._running = False
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def watch_exit(self, *, wanted: bool) -> None:
        """After the last case only the exit is left, which must not last for ever."""
        timer = self._timers.pop("exit", None)
        if timer is not None:
            timer.cancel()
        if wanted:
            self._arm("exit", _EXIT_SECONDS, self._check_exit)

    def _arm(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        self._timers[name] = self._loop.call_after(seconds, action)

    def _check_limit(self) -> None:
        self._timers.pop("limit", None)
        if not self._running or not self.limit:
            return
        left = self.limit - self.seconds
        if left > 0.001:
            self._arm("limit", left, self._check_limit)
        else:
            self._over_limit()

    def _check_started(self) -> None:
        self._timers.pop("started", None)
        if not self._running:
            return
        if self.seconds >= _STARTED_SECONDS * 0.9:
            self._lasts(self.seconds)
        self._arm("started", _STARTED_SECONDS, self._check_started)

    def _check_exit(self) -> None:
        self._timers.pop("exit", None)
        if not self._running:
            self._exit_overdue()
