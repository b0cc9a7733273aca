"""The event loop of a process that speaks gRPC.

gRPC's thread writes a byte into a socket for each event, and its reader on the loop takes one byte a turn: behind some 280
bytes the thread waits, and from then on no turn brings more than one event. Under load a call so waits in a line behind
what all others have sent, for a second and longer, while the loop itself is never held up for more than milliseconds.
The loops made here take all bytes that wait in one turn.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

_Loop = TypeVar("_Loop", bound=asyncio.AbstractEventLoop)
_COUNT = struct.Struct("i")


def new_loop(*, uvloop: bool = False) -> asyncio.AbstractEventLoop:
    """A loop, of uvloop's kind where that is wanted and installed."""
    if uvloop:
        try:
            import uvloop as faster
        except ImportError:  # not on every platform; the standard loop does the same, slower
            pass
        else:
            return _prompt(faster.Loop)()
    return _prompt(asyncio.SelectorEventLoop)()


def _prompt(kind: type[_Loop]) -> type[_Loop]:
    class Prompt(kind):  # type: ignore[misc, valid-type]
        def add_reader(self, fd: Any, callback: Callable[..., object], *args: Any) -> Any:
            if _is_grpc(fd, callback):
                callback = partial(_take_all, fd, callback)
            return super().add_reader(fd, callback, *args)

    return Prompt


def _is_grpc(fd: object, callback: object) -> bool:
    """Whether it is the reader of gRPC's events."""
    bound = callback.func if isinstance(callback, partial) else callback
    return isinstance(fd, socket.socket) and type(getattr(bound, "__self__", None)).__name__ == "PollerCompletionQueue"


def _take_all(events: socket.socket, callback: Callable[..., object], *args: object) -> None:
    """The callback takes the last byte, and all events whatever their bytes."""
    (waiting,) = _COUNT.unpack(fcntl.ioctl(events, termios.FIONREAD, bytes(_COUNT.size)))
    if waiting > 1:
        events.recv(waiting - 1)
    callback(*args)
