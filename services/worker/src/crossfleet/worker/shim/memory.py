"""Watches the resident memory of process trees, once a second."""

from __future__ import annotations

from collections.abc import Callable

from crossfleet.worker.shim import processes
from crossfleet.worker.shim.loop import Loop, Timer

_INTERVAL = 1.0


def kernel_kills() -> int:
    """Return how many processes the kernel of this host has killed for want of memory; 0 where it does not count."""
    return processes.counter("/proc/vmstat", b"oom_kill ")


class Watched:
    """One process tree. ``peak`` is the most that was seen, in bytes; ``family`` all pids that were seen."""

    def __init__(self, pid: int, limit: int, exceeded: Callable[[int], None]) -> None:
        self.pid = pid
        self.limit = limit
        self.exceeded = exceeded
        self.peak = 0
        self.family: set[int] = {pid}

    def begin(self) -> None:
        """Start the peak anew: what follows is another attempt's."""
        self.peak = 0
        processes.forget_peak(self.pid)

    def measured(self) -> int:
        """Return the peak so far, the kernel's own account of the root included."""
        self.peak = max(self.peak, processes.peak_bytes(self.pid))
        return self.peak

    def look(self) -> None:
        """Measure the tree now; over the limit, tell ``exceeded``.

        Pages that a fork shares with its zygote are counted in full by the cheap measure, so the exact one decides.
        """
        tree = processes.tree(self.pid)
        self.family |= tree
        used = sum(processes.resident_bytes(pid) for pid in tree)
        self.peak = max(self.peak, used)
        if self.limit and used > self.limit:
            exact = sum(processes.proportional_bytes(pid) or processes.resident_bytes(pid) for pid in tree)
            if exact > self.limit:
                self.exceeded(exact)


class MemoryWatch:
    """Looks at every watched tree once a second while there is one."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._watched: list[Watched] = []
        self._timer: Timer | None = None

    def add(self, pid: int, limit: int, exceeded: Callable[[int], None]) -> Watched:
        """Watch the tree below ``pid``; ``exceeded`` gets its bytes when they are more than ``limit`` (0: no limit)."""
        watched = Watched(pid, limit, exceeded)
        self._watched.append(watched)
        if self._timer is None:
            self._timer = self._loop.call_after(_INTERVAL, self._tick)
        return watched

    def remove(self, watched: Watched) -> None:
        """Stop watching; harmless a second time."""
        if watched in self._watched:
            self._watched.remove(watched)

    def _tick(self) -> None:
        self._timer = None
        if not self._watched:
            return
        for watched in list(self._watched):
            watched.look()
        self._timer = self._loop.call_after(_INTERVAL, self._tick)
