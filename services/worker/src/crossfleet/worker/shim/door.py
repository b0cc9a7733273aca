"""Where the agent comes in: one at a time, the newest wins; results reach it from the journal, in order."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

from crossfleet.worker.shim.connection import Connection
from crossfleet.worker.shim.host import Host, Message
from crossfleet.worker.shim.loop import READ, Timer
from crossfleet.worker.shim.socketpath import addressable

_WINDOW_BYTES = 1024 * 1024
"""How much of the journal may wait unsent for the agent."""
_DROP_BYTES = 8 * 1024 * 1024
"""Live output is dropped while more than this waits for the agent."""


def listen(path: Path) -> socket.socket:
    """Bind a Unix socket that only this user may reach."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with addressable(path) as address:
        listener.bind(address)
    path.chmod(0o600)
    listener.listen(128)
    listener.setblocking(False)
    return listener


class AgentDoor:
    """Serves ``shim.sock``. ``obey`` gets each message of the attached agent; ``describe`` fills "attached".

    ``abandoned`` is called when no agent has been attached for ``grace`` seconds.
    """

    def __init__(
        self, host: Host, listener: socket.socket, describe: Callable[[], Message], obey: Callable[[Message], None]
    ) -> None:
        self._host = host
        self._listener = listener
        self._describe = describe
        self._obey = obey
        self._agent: Connection | None = None
        self._sent = 0
        self._dropped = 0
        self._grace = 60.0
        self._abandoned: Callable[[], None] = _nothing
        self._timer: Timer | None = None
        self._visitors: set[Connection] = set()
        host.speak_to(self._speak)
        host.loop.watch(listener.fileno(), READ, self._accept)

    def expect_within(self, grace: float, abandoned: Callable[[], None]) -> None:
        """Call ``abandoned`` whenever nobody has been attached for ``grace`` seconds, from now on."""
        self._grace = grace
        self._abandoned = abandoned
        self._wait()

    @property
    def crowded(self) -> bool:
        """True while the agent does not read: whoever produces should pause."""
        return self._agent is not None and self._agent.unsent > 4 * _DROP_BYTES

    def pump(self) -> None:
        """Send what is durable and not sent yet, as far as the agent takes it; then flush."""
        agent = self._agent
        if agent is None:
            return
        journal = self._host.journal
        synced = journal.synced
        if self._sent < synced and agent.unsent < _WINDOW_BYTES:
            for sequence, payload in journal.read(self._sent + 1, _WINDOW_BYTES):
                agent.send(payload + b"\n")
                self._sent = sequence
        agent.flush()
        if self._sent < synced and agent.open and agent.unsent == 0:
            self._host.loop.call_after(0, _nothing)

    def _accept(self, events: int) -> None:
        try:
            stream, _ = self._listener.accept()
        except OSError:
            return
        visitor = Connection(self._host.loop, stream, _ignore)
        visitor.on_line = lambda line: self._first_line(visitor, line)
        visitor.on_close = lambda: self._visitors.discard(visitor)
        self._visitors.add(visitor)

    def _first_line(self, visitor: Connection, line: bytes) -> None:
        message = _parsed(line)
        if message is None or message.get("op") != "attach":
            visitor.send(b'{"op": "refused", "request": "", "message": "the first line must be an attach"}\n')
            visitor.flush()
            visitor.close()
            return
        self._visitors.discard(visitor)
        earlier, self._agent = self._agent, visitor
        if earlier is not None:
            earlier.on_close = _nothing
            earlier.close()
        if self._timer is not None:
            self._timer.cancel()
        visitor.on_line = self._line
        visitor.on_close = self._left
        journal = self._host.journal
        self._sent = journal.first_sequence - 1
        attached = {
            "op": "attached",
            "pid": os.getpid(),
            **self._describe(),
            "first_sequence": journal.first_sequence,
            "next_sequence": journal.next_sequence,
        }
        visitor.send(json.dumps(attached).encode("ascii") + b"\n")

    def _line(self, line: bytes) -> None:
        message = _parsed(line)
        if message is None:
            self._host.tell({"op": "refused", "request": "", "message": "a line is not a JSON object with op"})
            return
        try:
            self._obey(message)
        except (KeyError, TypeError, ValueError) as error:
            reason = f"{type(error).__name__}: {error}"
            self._host.tell({"op": "refused", "request": message["op"], "message": reason})

    def _speak(self, line: bytes, droppable: bool) -> None:
        agent = self._agent
        if agent is None:
            return
        if droppable and agent.unsent > _DROP_BYTES:
            self._dropped += 1
            return
        agent.send(line)

    def _left(self) -> None:
        self._agent = None
        self._wait()

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._host.loop.call_after(self._grace, self._check_abandoned)

    def _check_abandoned(self) -> None:
        if self._agent is None:
            self._abandoned()


def _parsed(line: bytes) -> Message | None:
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) and isinstance(message.get("op"), str) else None


def _nothing() -> None:
    return None


def _ignore(line: bytes) -> None:
    return None
