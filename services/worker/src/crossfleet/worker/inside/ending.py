"""The end of the zygote's process, when its session is over and told."""

from __future__ import annotations

import atexit
import os
import sys
import threading

from . import capture

_exit = os._exit


def end_process(status: int) -> None:
    """End with ``status`` at once; returns where Python must take itself apart in its own way.

    To free all that a large suite has imported takes a tenth of a second or more, for which the run would wait. What
    somebody could miss is kept: functions registered for the exit are called, threads are waited for, and temporary
    files of modules are removed.
    """
    if threading.active_count() > 1 or _holds_temporary_files():
        return
    atexit._run_exitfuncs()
    capture.flush_standard_streams()
    _exit(status)


def _holds_temporary_files() -> bool:
    """Whether a module has a file that is removed when Python forgets it."""
    for module in list(sys.modules.values()):
        for value in list(getattr(module, "__dict__", {}).values()):
            if type(value).__name__ == "_TemporaryFileWrapper":
                return True
    return False
