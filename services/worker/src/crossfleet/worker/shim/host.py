"""What allocations need of the shim around them: the loop, the reaper, the journal's pen, the way to the agent."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossfleet.worker.shim.limits import delegated

if TYPE_CHECKING:
    from crossfleet.worker.shim.connection import Connection
    from crossfleet.worker.shim.errand import Errand
    from crossfleet.worker.shim.journal import Journal
    from crossfleet.worker.shim.loop import Loop
    from crossfleet.worker.shim.memory import MemoryWatch
    from crossfleet.worker.shim.reaper import Reaper

Message = dict[str, Any]


def fresh_token() -> str:
    """Return 128 random bits in hex (the secrets module would bring OpenSSL, 4 MB, into an idle shim)."""
    return os.urandom(16).hex()


class Host:
    """The shim as its allocations see it."""

    def __init__(self, loop: Loop, reaper: Reaper, journal: Journal, memory: MemoryWatch, folder: Path) -> None:
        self.loop = loop
        self.reaper = reaper
        self.journal = journal
        self.memory = memory
        self.folder = folder
        self.cgroups = delegated()
        self.runner_socket = folder / "runner.sock"
        self.connections: set[Connection | Errand] = set()
        self.keepers: set[int] = set()
        self.paused = False
        self._expected: dict[str, Callable[[Connection, Message], None]] = {}
        self._to_agent: Callable[[bytes, bool], None] = _to_nobody

    def keep(self, pid: int) -> None:
        """Let a process live on when the slot and the allocation that it comes from have ended."""
        self.keepers.add(pid)
        self.reaper.watch(pid, lambda code: self.keepers.discard(pid))

    def speak_to(self, send: Callable[[bytes, bool], None]) -> None:
        """Say how lines reach the agent: ``send(line, droppable)``."""
        self._to_agent = send

    def expect(self, greeted: Callable[[Connection, Message], None]) -> str:
        """Return a token; the process that says hello with it is handed to ``greeted``, once."""
        token = fresh_token()
        self._expected[token] = greeted
        return token

    def expect_no_more(self, token: str) -> None:
        """Withdraw a token that nobody has used."""
        self._expected.pop(token, None)

    def greet(self, connection: Connection, hello: Message) -> bool:
        """Hand a new connection to whoever expects it. False: nobody does."""
        greeted = self._expected.pop(str(hello.get("token", "")), None)
        if greeted is None:
            return False
        greeted(connection, hello)
        return True

    def tell(self, message: Message) -> None:
        """Send the agent a message that is not journalled; lost when no agent is attached."""
        self._to_agent(json.dumps(message).encode("ascii") + b"\n", False)

    def tell_raw(self, line: bytes) -> None:
        """As ``tell``, for a line that is already JSON."""
        self._to_agent(line + b"\n", False)

    def log(self, allocation: str, slot: int, stream: str, data: str) -> None:
        """Forward live output; dropped when the agent does not keep up."""
        message = {"op": "log", "allocation": allocation, "slot": slot, "stream": stream, "data": data}
        self._to_agent(json.dumps(message).encode("ascii") + b"\n", True)

    def record(self, message: Message) -> None:
        """Journal a message; it reaches the agent once it is durable, until the agent acknowledges it."""
        self.record_raw(json.dumps(message).encode("ascii"))

    def record_raw(self, payload: bytes) -> None:
        """As ``record``, for a JSON object in bytes; the sequence is put in front."""
        self.journal.append(b'{"sequence": %d, ' % self.journal.next_sequence + payload[1:])


def _to_nobody(line: bytes, droppable: bool) -> None:
    return None
