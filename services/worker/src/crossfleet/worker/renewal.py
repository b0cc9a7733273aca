"""Becoming the agent of another version without going: the same process, started again with the code that is there now."""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

_SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)


class Renewal:
    """SIGHUP asks for it, unless it is ignored (nohup), or means that the terminal of whoever started this is gone."""

    def __init__(self) -> None:
        on_terminal = any(os.isatty(number) for number in (0, 1, 2))
        self._by_hangup = not on_terminal and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
        self.wanted = False
        self.lifeline = -1
        self.told: list[signal.Signals] = []
        """Signals that came meanwhile, for the process as it will be then."""

    def listen(self, on_hangup: Callable[[], None]) -> None:
        """Call `on_hangup` from the running loop when it is asked for. Other handlers must be there: signals may wait."""
        if self._by_hangup:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, on_hangup)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    def begin(self) -> NoReturn:
        """Start this program again with the same words, in the same process: whoever watches it notices nothing."""
        atexit._run_exitfuncs()  # noqa: SLF001 - there is no public name
        if self.lifeline >= 0:
            os.set_inheritable(self.lifeline, True)
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        for number in self.told:
            signal.pthread_kill(threading.main_thread().ident or 0, number)
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - no shell is what is wanted
