"""The shim as the parent of slots and keepers, which are forked by others."""

from __future__ import annotations

import os
import signal
import time

_PR_SET_PDEATHSIG = 1
# Taken before the suite is imported, as in channel.py.
_getppid = os.getppid


def await_adoption(pid: int) -> None:
    """Wait until the short-lived parent ``pid`` has ended and the shim is our parent; it ends at once, so this is short."""
    deadline = time.monotonic() + 5
    while _getppid() == pid and time.monotonic() < deadline:
        time.sleep(0.0002)


def die_with_it() -> None:
    """Have the kernel end this process when the shim dies: a case that never ends would outlive them all.

    The shim has one thread, so that the signal cannot come early.
    """
    try:
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    except (ImportError, OSError, AttributeError):
        return  # an interpreter without ctypes: the end of the connection is noticed between cases
