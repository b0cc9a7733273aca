"""The shim's story: flags, state folder, doors, loop, end."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import sys
from pathlib import Path

from crossfleet.worker.shim import zygote
from crossfleet.worker.shim.connection import Connection
from crossfleet.worker.shim.door import AgentDoor, listen
from crossfleet.worker.shim.host import Host, Message, fresh_token
from crossfleet.worker.shim.journal import Journal, leftover
from crossfleet.worker.shim.loop import READ, Loop
from crossfleet.worker.shim.memory import MemoryWatch
from crossfleet.worker.shim.reaper import Reaper
from crossfleet.worker.shim.register import Register

_BREATH_SECONDS = 0.008
_FLOOD_RECORDS = 16
"""So many records within two breaths are a flood."""
_LOG_BYTES = 1024 * 1024
USAGE = "usage: python -m crossfleet.worker.shim --state DIR [--lifeline-fd N] [--grace SECONDS] [--version TEXT] [--spares N]"


def main(arguments: list[str]) -> int:
    """Serve until told to stop, until nobody claims the shim, or until its lifeline ends. Returns the exit status.

    0: ended as asked; 2: wrong usage; 3: the state folder cannot be used (another shim lives there, no space).
    """
    try:
        flags = _flags(arguments)
    except ValueError as error:
        sys.stderr.write(f"{error}\n{USAGE}\n")
        return 2
    try:
        shim = Shim(Path(str(flags["state"])).absolute(), str(flags["version"]), spares=int(flags["spares"]))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"crossfleet shim: {error}\n")
        return 3
    shim.serve(float(flags["grace"]), int(flags["lifeline-fd"]))
    return 0


class Shim:
    """Everything wired together over one state folder. ``version``: that of the worker whose code this is.

    ``spares``: how many interpreters may wait for runs that probably come.

    Raises OSError or ValueError when the folder cannot be used.
    """

    def __init__(self, folder: Path, version: str = "", *, spares: int = 0) -> None:
        self.boot = fresh_token()
        zygote.umask_of_children = os.umask(0o077)  # what a suite writes is no business of ours
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = _locked(folder)
        for name in ("faults", "collections", "results"):
            _remove(folder / name)
        loop = Loop()
        journal = _recovered(folder / "journal", self.boot)
        self._host = Host(loop, Reaper(loop), journal, MemoryWatch(loop), folder)
        self._register = Register(self._host, self.boot, version, self._stop, spares=spares)
        self._runners = listen(self._host.runner_socket)
        loop.watch(self._runners.fileno(), READ, self._accept_runner)
        self._address = folder / "shim.sock"
        self._door = AgentDoor(self._host, listen(self._address), self._register.describe, self._register.obey)
        self._window_from, self._window_at, self._quiet_until = 0, 0.0, 0.0
        self._disk_refuses = ""
        loop.at_turn_end(self._finish_turn)
        loop.on_fault = self._note_fault

    def serve(self, grace: float, lifeline: int) -> None:
        """Run the loop. ``grace``: seconds without an agent before it ends itself; ``lifeline`` < 0: none."""
        loop = self._host.loop
        self._door.expect_within(grace, self._stop)
        if lifeline >= 0:
            loop.watch(lifeline, READ, lambda events: self._lifeline_moved(lifeline))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop())
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        sys.stdout.write(json.dumps({"ready": True, "service": "shim", "address": f"unix:{self._address}"}) + "\n")
        sys.stdout.flush()
        loop.run()
        self._register.kill_all()
        self._host.journal.close()
        for name in ("shim.sock", "runner.sock"):
            (self._host.folder / name).unlink(missing_ok=True)

    def _stop(self) -> None:
        self._host.loop.stop()

    def _lifeline_moved(self, lifeline: int) -> None:
        if not os.read(lifeline, 4096):
            self._stop()

    def _accept_runner(self, events: int) -> None:
        try:
            stream, _ = self._runners.accept()
        except OSError:
            return
        self._welcome(stream)

    def _welcome(self, stream: socket.socket) -> None:
        host = self._host
        connection = Connection(host.loop, stream, lambda line: None)
        host.connections.add(connection)
        connection.on_close = lambda: host.connections.discard(connection)

        def first_line(line: bytes) -> None:
            try:
                hello: Message = json.loads(line)
            except ValueError:
                hello = {}
            if not host.greet(connection, hello):
                for descriptor in connection.descriptors:
                    os.close(descriptor)
                connection.close()

        connection.on_line = first_line
        connection.pause(host.paused)

    def _finish_turn(self) -> None:
        """Make what was recorded durable, tell the agent, and pause the runners while there is no room."""
        journal = self._host.journal
        try:
            journal.sync()
            self._disk_refuses = ""
        except OSError as error:
            self._complain(error)
        self._door.pump()
        paused = journal.full or self._door.crowded or bool(self._disk_refuses) or self._breathing()
        if paused != self._host.paused:
            self._host.paused = paused
            for connection in list(self._host.connections):
                connection.pause(paused)

    def _breathing(self) -> bool:
        """Read runners at most once in a few milliseconds while results pour in: one sync then serves many of them.

        Results that come alone, even at a brisk pace, are not delayed.
        """
        now, newest = self._host.loop.now, self._host.journal.synced
        if now - self._window_at > 2 * _BREATH_SECONDS:
            self._window_at, self._window_from = now, newest
        elif newest - self._window_from >= _FLOOD_RECORDS and now >= self._quiet_until:
            self._quiet_until = now + _BREATH_SECONDS
            self._window_at, self._window_from = now, newest - _FLOOD_RECORDS // 2
            self._host.loop.call_after(_BREATH_SECONDS, lambda: None)
        return now < self._quiet_until

    def _note_fault(self, error: Exception) -> None:
        """Write a fault of our own to shim.log and go on; the agent may be gone, and stderr with it."""
        import traceback

        path = self._host.folder / "shim.log"
        if not path.exists() or path.stat().st_size < _LOG_BYTES:
            with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write("".join(traceback.format_exception(error)))
        self._host.tell({"op": "trouble", "cause": "fault", "message": f"{type(error).__name__}: {error}"})

    def _complain(self, error: OSError) -> None:
        """The disk takes no more: runners pause, and once a second it is tried again."""
        if str(error) != self._disk_refuses:
            self._disk_refuses = str(error)
            self._host.tell({"op": "trouble", "cause": "disk_full", "message": f"the shim's journal: {error}"})
        self._host.loop.call_after(1.0, lambda: None)


def _flags(arguments: list[str]) -> dict[str, str | float | int]:
    """Parse ``--name value`` pairs (argparse would double the memory of an idle shim). Raises ValueError."""
    found: dict[str, str] = {"lifeline-fd": "-1", "grace": "60", "version": "", "spares": "0"}
    words = iter(arguments)
    for word in words:
        name, separator, value = word.removeprefix("--").partition("=")
        if name not in ("state", *found) or not word.startswith("--"):
            raise ValueError(f"unknown argument {word!r}")
        found[name] = value if separator else next(words, "")
    if not found.get("state"):
        raise ValueError("--state is missing: a folder of this shim's own")
    try:
        numbers = {"lifeline-fd": int(found["lifeline-fd"]), "spares": int(found["spares"])}
        return {**found, **numbers, "grace": float(found["grace"])}
    except ValueError:
        raise ValueError("--lifeline-fd and --spares must be whole numbers, --grace a number of seconds") from None


def _locked(folder: Path) -> int:
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise ValueError(f"--state: {folder} belongs to a shim that is alive") from None
    return descriptor


def _recovered(folder: Path, boot: str) -> Journal:
    """Start this life's journal with what earlier lives left unacknowledged, under new sequences."""
    journal = Journal(folder / boot)
    earlier = [path for path in sorted(folder.iterdir()) if path.name != boot]
    for path in earlier:
        for payload in leftover(path):
            message = json.loads(payload)
            message.pop("sequence", None)
            text = json.dumps({"sequence": journal.next_sequence, **message})
            journal.append(text.encode("ascii"))
    journal.sync()
    for path in earlier:
        _remove(path)
    return journal


def _remove(folder: Path) -> None:
    """Remove a folder of files; one that is not there is no error."""
    if folder.is_dir():
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
