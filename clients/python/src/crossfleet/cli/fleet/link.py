"""A command's hold on a fleet: joins the live one of a data folder, or starts one that lives as long as it is used."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

from crossfleet.cli.fleet import fleetfile
from crossfleet.cli.fleet.listeners import Event
from crossfleet.cli.fleet.plan import FleetPlan


class FleetFault(Exception):
    """The embedded fleet cannot serve. `wrong_settings` tells a user's mistake from a fault of the fleet."""

    def __init__(self, message: str, *, wrong_settings: bool = False) -> None:
        super().__init__(message)
        self.wrong_settings = wrong_settings


@dataclass(slots=True)
class FleetLink:
    """A connection to a supervisor. The fleet lives at least until `release`, or until this process ends."""

    outgoing: int
    events: int
    joined: bool
    address: str = ""
    fleet: fleetfile.FleetFile | None = None
    _pending: bytes = field(default=b"")

    def read(self) -> Iterator[Event]:
        """Waits for events and yields those that have come. Raises FleetFault at the end of the fleet."""
        piece = os.read(self.events, 65536)
        if not piece:
            raise FleetFault("the fleet's supervisor is gone")
        *lines, self._pending = (self._pending + piece).split(b"\n")
        for line in lines:
            yield json.loads(line)

    def release(self) -> None:
        """Lets the fleet go; it ends unless another command uses it."""
        if self.outgoing < 0:
            return
        if self.outgoing == self.events:
            import socket

            with socket.socket(fileno=os.dup(self.events)) as connection:
                try:
                    connection.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
        else:
            os.close(self.outgoing)
        self.outgoing = -1

    def wait_for_end(self, seconds: float) -> bool:
        """After `release` of a fleet that this command started: waits until it is gone. False when it is not yet."""
        import select

        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            ready, _, _ = select.select([self.events], [], [], left)
            if ready and not os.read(self.events, 65536):
                return True
        return False


def join(data: str) -> FleetLink | None:
    """A hold on the live fleet of a data folder, or None where there is none."""
    found = fleetfile.read(data)
    if found is None:
        return None
    import socket

    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(found.clients)
    except OSError:
        connection.close()
        return None
    handle = connection.detach()
    return FleetLink(handle, handle, True, found.address, found)


def start(plan: FleetPlan) -> FleetLink:
    """Starts a supervisor for a fleet of this command's own; returns at once, while the services start.

    Only the standard library's quick parts are used on this way: every millisecond here is one before the first test.
    """
    kept, ours = os.pipe()  # supervisor reads its end of file when this process is gone
    events, theirs = os.pipe()
    standard_input, plan_written = os.pipe()
    try:
        for handle in (kept, theirs):
            os.set_inheritable(handle, True)
        command = [sys.executable, "-P", "-m", "crossfleet.cli.fleet.supervise", str(kept), str(theirs)]
        actions = [
            (os.POSIX_SPAWN_DUP2, standard_input, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        ]
        os.posix_spawn(command[0], command, os.environ, file_actions=actions, setsid=True, setsigmask=[])
    finally:
        for handle in (kept, theirs, standard_input):
            os.close(handle)
    with os.fdopen(plan_written, "w", encoding="utf-8") as file:
        json.dump(asdict(plan), file)
    return FleetLink(ours, events, False)
