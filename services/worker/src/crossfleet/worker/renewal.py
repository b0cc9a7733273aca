"""Becoming the agent of another version without going: the same process, started again with the code that is there now."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn


class Renewal:
    """SIGHUP asks for it, unless it is ignored (nohup), or means that the terminal of whoever started this is gone."""

    def __init__(self) -> None:
        on_terminal = any(os.isatty(number) for number in (0, 1, 2))
        self._by_hangup = not on_terminal and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
        self.wanted = False
        self.lifeline = -1

    def listen(self, on_hangup: Callable[[], None]) -> None:
        """Call `on_hangup` from the running loop when it is asked for."""
        if self._by_hangup:
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, on_hangup)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})

    def begin(self) -> NoReturn:
        """Start this program again with the same words, in the same process: whoever watches it notices nothing."""
        if self.lifeline >= 0:
            os.set_inheritable(self.lifeline, True)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # one that comes meanwhile waits for the handler
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - no shell is what is wanted
