"""Reaps children, born here or adopted, and tells who is interested how each ended."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from crossfleet.worker.shim.loop import READ, Loop

_PR_SET_CHILD_SUBREAPER = 36
_REMEMBERED = 256

_T = TypeVar("_T")

Ended = Callable[[int], None]
"""Called with the exit code: 0 and up as given by the program, -N for signal N."""


class Reaper:
    """Makes this process the subreaper of its descendants and reaps at SIGCHLD."""

    def __init__(self, loop: Loop) -> None:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._loop = loop
        self._interested: dict[int, Ended] = {}
        self._unclaimed: OrderedDict[int, int] = OrderedDict()
        self._dumped: OrderedDict[int, None] = OrderedDict()
        self._wakeup, writer = socket.socketpair()
        self._wakeup.setblocking(False)
        writer.setblocking(False)
        self._writer = writer
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        loop.watch(self._wakeup.fileno(), READ, self._woken)

    @property
    def watched(self) -> set[int]:
        """The processes whose end somebody waits for."""
        return set(self._interested)

    def watch(self, pid: int, ended: Ended) -> None:
        """Call ``ended`` with the exit code when ``pid`` has ended, also when that was before this call."""
        code = self._unclaimed.pop(pid, None)
        if code is None:
            self._interested[pid] = ended
        else:
            self._loop.call_after(0, lambda: ended(code))

    def dumped_core(self, pid: int) -> bool:
        """True when a process that has ended lately left a core, as the kernel says."""
        return pid in self._dumped

    def reap(self) -> None:
        """Collect everything that has ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            if os.WIFSIGNALED(status) and os.WCOREDUMP(status):
                _remember(self._dumped, pid, None)
            ended = self._interested.pop(pid, None)
            if ended is not None:
                ended(code)
                continue
            _remember(self._unclaimed, pid, code)

    def _woken(self, events: int) -> None:
        try:
            while self._wakeup.recv(4096):
                pass
        except BlockingIOError:
            pass
        self.reap()


def _remember(memory: OrderedDict[int, _T], pid: int, value: _T) -> None:
    memory[pid] = value
    while len(memory) > _REMEMBERED:
        memory.popitem(last=False)


def described(code: int) -> str:
    """Say in words how a process ended: its status, or the signal with its name and meaning."""
    if code >= 0:
        return f"exited with status {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        return f"was killed by signal {-code}"
    return f"was killed by {name} ({(signal.strsignal(-code) or '').lower()})"
