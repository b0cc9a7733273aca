"""A pipe whose other end the supervisor holds: its end of file means that the supervisor is gone, however it ended."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable

from crossfleet.foundation.errors.base import FieldViolation
from crossfleet.foundation.errors.installation import ConfigurationInvalid


class Lifeline:
    """Calls `on_end` once, when the pipe `fd` reaches its end. Takes the descriptor over; close it with `close`."""

    def __init__(self, fd: int, on_end: Callable[[], None]) -> None:
        self._fd = fd
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        try:
            mode = os.fstat(fd).st_mode
        except OSError as error:
            raise _not_a_pipe(fd, "is not open") from error
        if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
            raise _not_a_pipe(fd, "is not a pipe")
        os.set_blocking(fd, False)
        os.set_inheritable(fd, False)  # a child that kept it would not matter, a child that read from it would
        self._loop.add_reader(fd, self._readable)

    def _readable(self) -> None:
        try:
            if os.read(self._fd, 4096):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self.close()
        self._on_end()

    def close(self) -> None:
        """Stops watching; `on_end` is not called any more."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1


def watch_lifeline(fd: int, on_end: Callable[[], None]) -> Lifeline:
    """Watches an inherited pipe from the running loop. Raises ConfigurationInvalid when `fd` is not one."""
    return Lifeline(fd, on_end)


def _not_a_pipe(fd: int, what: str) -> ConfigurationInvalid:
    return ConfigurationInvalid(
        "the lifeline cannot be watched", fields=[FieldViolation("lifeline_fd", f"descriptor {fd} {what}")]
    )
