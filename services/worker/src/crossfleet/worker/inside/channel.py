"""The line of a zygote or slot to the shim: JSON lines over a Unix stream socket, blocking, one write a line."""

from __future__ import annotations

import array
import json
import os
import socket
from typing import Any, Dict, Optional, Sequence

Message = Dict[str, Any]

# Taken before the suite is imported: a conftest may replace any of these (a blocked socket, a frozen process id), and
# the line to the shim must outlive it.
_getpid = os.getpid
_exit = os._exit
_dumps, _loads = json.dumps, json.loads
_Socket = socket.socket
_open, _close = os.open, os.close

MAXIMUM_LINE = 16 * 1024 * 1024
"""Bytes of the longest line that either side accepts."""


_LONGEST_ADDRESS = 107


class Closed(Exception):
    """The shim has gone away or closed the connection: there is nobody left to run for."""


def _connect(line: socket.socket, path: str) -> None:
    """By way of its folder where the path is longer than the address of a Unix socket may be."""
    if len(os.fsencode(path)) <= _LONGEST_ADDRESS:
        line.connect(path)
        return
    folder = _open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
    try:
        line.connect("/proc/self/fd/{}/{}".format(folder, os.path.basename(path)))
    finally:
        _close(folder)


class Channel:
    """A connection to the shim. It belongs to the process that opened it; a fork of a test never writes to it."""

    def __init__(self, path: str) -> None:
        self._owner = _getpid()
        self._socket = _Socket(socket.AF_UNIX, socket.SOCK_STREAM)
        _connect(self._socket, path)
        self._received = bytearray()

    def send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Send one message (a dict), with open file descriptors beside it. Raises Closed; ValueError: too long."""
        line = _dumps(message).encode("ascii") + b"\n"
        if len(line) > MAXIMUM_LINE:
            raise ValueError(
                "a message ({}) of {} bytes, more than {}: select fewer cases at a time".format(
                    message.get("op"), len(line), MAXIMUM_LINE
                )
            )
        self.send_line(line, descriptors)

    def send_line(self, line: bytes, descriptors: Sequence[int] = ()) -> None:
        """Send one complete line of bytes. Raises Closed; ends the process when it is a stray fork of the owner."""
        if _getpid() != self._owner:
            # A test forked and its child came back into pytest: whatever it reports was not asked for.
            _exit(1)
        try:
            if descriptors:
                packed = array.array("i", descriptors)
                sent = self._socket.sendmsg([line], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, packed)])
                line = line[sent:]
            self._socket.sendall(line)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Closed("the shim closed the connection") from error

    def receive(self, wait: bool = True) -> Optional[Message]:
        """Return the next message, or None when ``wait`` is false and none has arrived. Raises Closed at the end."""
        while True:
            line, found, rest = self._received.partition(b"\n")
            if found:
                self._received = rest
                message: Message = _loads(line.decode("ascii"))
                return message
            if len(self._received) > MAXIMUM_LINE:
                raise Closed("the shim sent a line of more than {} bytes".format(MAXIMUM_LINE))
            try:
                data = self._socket.recv(1 << 16, 0 if wait else socket.MSG_DONTWAIT)
            except BlockingIOError:
                return None
            except ConnectionResetError as error:
                raise Closed("the shim closed the connection") from error
            if not data:
                raise Closed("the shim closed the connection")
            self._received += data

    def close(self) -> None:
        """Close this process's end. A forked child calls it on the parent's channel."""
        self._socket.close()
