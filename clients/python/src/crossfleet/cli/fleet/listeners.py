"""The commands that keep a fleet alive: each holds a connection to its supervisor, and is told what happens."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

Event = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Listener:
    """One command: the end of `incoming` means that it is gone; events are written to `outgoing` as JSON lines."""

    incoming: int
    outgoing: int

    def tell(self, event: Event) -> None:
        """Writes an event. One that does not read loses events and is no reason to wait."""
        try:
            os.write(self.outgoing, json.dumps(event).encode() + b"\n")
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            pass

    def gone(self) -> bool:
        """Reads what came. Answers whether the command has ended."""
        try:
            return os.read(self.incoming, 4096) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def close(self) -> None:
        """Closes both directions; the command then reads the end of events."""
        for handle in {self.incoming, self.outgoing}:
            os.close(handle)


class Listeners:
    """All commands that a fleet serves, with the events that a late one is told first."""

    def __init__(self) -> None:
        self.present: dict[int, Listener] = {}
        self._told: list[Event] = []

    def add(self, listener: Listener) -> None:
        """Takes a command on and tells it what has happened so far."""
        for handle in (listener.incoming, listener.outgoing):
            os.set_blocking(handle, False)
        self.present[listener.incoming] = listener
        for event in self._told:
            listener.tell(event)

    def drop(self, listener: Listener) -> None:
        """Forgets a command that is gone."""
        self.present.pop(listener.incoming, None)
        listener.close()

    def tell(self, event: Event, *, remember: bool = True) -> None:
        """Tells every command; a late one hears it too where it is to be remembered (the last 100 are)."""
        if remember:
            self._told = [*self._told[-99:], event]
        for listener in self.present.values():
            listener.tell(event)
