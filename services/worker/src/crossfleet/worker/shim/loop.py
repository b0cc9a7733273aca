"""One loop over file descriptors, timers and what is to be done at the end of each turn."""

from __future__ import annotations

import heapq
import selectors
import time
from collections.abc import Callable
from itertools import count

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE


class Timer:
    """A call that is due at a time of the loop's clock; ``cancel`` withdraws it."""

    __slots__ = ("action", "due")

    def __init__(self, due: float, action: Callable[[], None]) -> None:
        self.due = due
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        """Withdraw the call. Harmless when it has already been made."""
        self.action = None


class Loop:
    """A selectors loop. ``now`` is the monotonic time in seconds at which the present turn began."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = count()
        self._turn_ends: list[Callable[[], None]] = []
        self._stopped = False
        self.on_fault: Callable[[Exception], None] = _raise
        self.now = time.monotonic()

    def watch(self, descriptor: int, events: int, ready: Callable[[int], None]) -> None:
        """Call ``ready`` with the events that hold whenever one of ``events`` does; replaces an earlier watch."""
        try:
            self._selector.modify(descriptor, events, ready)
        except KeyError:
            self._selector.register(descriptor, events, ready)

    def forget(self, descriptor: int) -> None:
        """Watch this descriptor no more. Call it before closing the descriptor."""
        try:
            self._selector.unregister(descriptor)
        except KeyError:
            return

    def call_after(self, seconds: float, action: Callable[[], None]) -> Timer:
        """Make one call ``seconds`` from now."""
        timer = Timer(time.monotonic() + seconds, action)
        heapq.heappush(self._timers, (timer.due, next(self._order), timer))
        return timer

    def at_turn_end(self, action: Callable[[], None]) -> None:
        """Call ``action`` at the end of every turn, in the order of registration."""
        self._turn_ends.append(action)

    def stop(self) -> None:
        """Leave ``run`` at the end of this turn."""
        self._stopped = True

    def run(self) -> None:
        """Serve until ``stop``."""
        while not self._stopped:
            self.turn(self._patience())

    def turn(self, timeout: float | None) -> None:
        """Wait for at most ``timeout`` seconds (None: without limit) and serve what is ready."""
        ready = self._selector.select(timeout)
        self.now = time.monotonic()
        for key, events in ready:
            # A call before this one may have forgotten the descriptor, or given it to another owner.
            if self._selector.get_map().get(key.fd) is key:
                self._guarded(key.data, events)
        while self._timers and self._timers[0][0] <= self.now:
            timer = heapq.heappop(self._timers)[2]
            action, timer.action = timer.action, None
            if action is not None:
                self._guarded(action)
        for finish in self._turn_ends:
            self._guarded(finish)

    def _guarded(self, action: Callable[..., None], *arguments: object) -> None:
        """A fault of ours in one call must not take down the runners of all others: ``on_fault`` gets it."""
        try:
            action(*arguments)
        except Exception as error:
            self.on_fault(error)

    def _patience(self) -> float | None:
        while self._timers and self._timers[0][2].action is None:
            heapq.heappop(self._timers)
        if not self._timers:
            return None
        return max(0.0, self._timers[0][0] - time.monotonic())


def _raise(error: Exception) -> None:
    raise error
