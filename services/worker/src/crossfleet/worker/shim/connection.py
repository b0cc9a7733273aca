"""A non-blocking stream socket that carries lines both ways, with bounded buffers."""

from __future__ import annotations

import array
import socket
from collections.abc import Callable

from crossfleet.worker.shim.loop import READ, WRITE, Loop

MAXIMUM_LINE = 16 * 1024 * 1024
"""Bytes of the longest line that is accepted; a longer one ends the connection."""
_CHUNK = 256 * 1024


class Connection:
    """Lines in, lines out. What is sent waits in ``unsent`` until the other side takes it.

    ``on_line`` gets each line without its end; ``on_close`` is called once, when the other side is gone or broke the
    framing. Descriptors that came beside the first bytes are in ``descriptors``; who takes them owns them.
    """

    def __init__(self, loop: Loop, stream: socket.socket, on_line: Callable[[bytes], None]) -> None:
        stream.setblocking(False)
        self._loop = loop
        self._stream = stream
        self._received = bytearray()
        self._unsent = bytearray()
        self._paused = False
        self._open = True
        self._expects_descriptors = True
        self.on_line = on_line
        self.on_close: Callable[[], None] = _nothing
        self.descriptors: list[int] = []
        self._watch()

    @property
    def unsent(self) -> int:
        """Bytes that the other side has not taken yet."""
        return len(self._unsent)

    @property
    def open(self) -> bool:
        """False after ``close``, whoever closed."""
        return self._open

    def peer(self) -> int:
        """Return the process id of the other side as the kernel noted it."""
        packed = self._stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return array.array("i", packed)[0]

    def send(self, line: bytes) -> None:
        """Queue a line (with its end). It leaves at the end of the turn; dropped when the connection is closed."""
        if self._open:
            self._unsent += line

    def flush(self) -> None:
        """Write what the kernel takes now."""
        if not self._open or not self._unsent:
            return
        try:
            # A view would forbid the bytearray to shrink; one chunk is copied instead.
            while self._unsent:
                sent = self._stream.send(bytes(self._unsent[:_CHUNK]))
                del self._unsent[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        self._watch()

    def pause(self, paused: bool) -> None:
        """Stop reading, or go on: back pressure to the other side."""
        if self._open and paused != self._paused:
            self._paused = paused
            self._watch()

    def drain(self) -> None:
        """Read all that has arrived, pause or not: the last words of a process that has ended."""
        while self._open and self._read():
            pass

    def close(self) -> None:
        """Close and tell ``on_close``; harmless a second time."""
        if not self._open:
            return
        self._open = False
        self._loop.forget(self._stream.fileno())
        self._stream.close()
        self._unsent.clear()
        self.on_close()

    def _watch(self) -> None:
        events = (0 if self._paused else READ) | (WRITE if self._unsent else 0)
        if events:
            self._loop.watch(self._stream.fileno(), events, self._ready)
        else:
            self._loop.forget(self._stream.fileno())

    def _ready(self, events: int) -> None:
        if events & WRITE:
            self.flush()
        if events & READ and self._open:
            self._read()

    def _read(self) -> bool:
        """Take in one chunk. False when there was none."""
        try:
            data = self._take()
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self.close()
            return False
        if b"\n" not in data:
            self._received += data
            if len(self._received) > MAXIMUM_LINE:
                self.close()
            return True
        lines = (bytes(self._received) + data).split(b"\n") if self._received else data.split(b"\n")
        self._received = bytearray(lines.pop())
        for line in lines:
            if line and self._open:
                self.on_line(line)
        return True

    def _take(self) -> bytes:
        if not self._expects_descriptors:
            return self._stream.recv(_CHUNK)
        data, descriptors, _, _ = socket.recv_fds(self._stream, _CHUNK, 8)
        self.descriptors.extend(descriptors)
        self._expects_descriptors = False
        return data


def _nothing() -> None:
    return None
