"""One process of a test program: its output and what it writes to its results path, piece by piece, until its end."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from crossfleet.worker.shim.host import Host
from crossfleet.worker.shim.life import LIVE_OUTPUT_BYTES, TOKEN, Life
from crossfleet.worker.shim.output import OutputPipe
from crossfleet.worker.shim.programs.program import Command
from crossfleet.worker.shim.zygote import spawn

_UNLIMITED = 1 << 62
FAULT_FILE = "CROSSFLEET_FAULT_FILE"
"""Names the file for the stacks of a process that dies."""
MORE_FILE = "CROSSFLEET_MORE_FILE"
"""Names the file of what is to do next, for a process that waits for more."""


class Errand:
    """Made with a results path; `start` begins the process. `take(stream, text)` hears it, `ended(code)` comes last.

    The results path is a FIFO, so that what was written before a crash is known, through wrappers such as npx too.
    """

    def __init__(
        self,
        host: Host,
        memory_bytes: int,
        log: Callable[[str, str], None],
        take: Callable[[str, str], None],
        ended: Callable[[int], None],
    ) -> None:
        self._host = host
        self._log = log
        self._left = LIVE_OUTPUT_BYTES
        self._take = take
        self._on_end = ended
        self.life = Life(host, memory_bytes, self._said)
        self.life.on_end = self._ended
        folder = host.folder / "results"
        folder.mkdir(exist_ok=True)
        self._path = folder / self.life.token
        os.mkfifo(self._path, 0o600)
        self._more = folder / f"{self.life.token}.more"
        self._input = -1
        # Open for writing too: a program may open and close it as often as it likes, and never sees a broken pipe.
        descriptor = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._pipe = OutputPipe(host.loop, descriptor, lambda text: take("results", text), _UNLIMITED)

    @property
    def results(self) -> str:
        """The path that the program writes to."""
        return str(self._path)

    def start(self, command: Command, cwd: str, env: Mapping[str, str], *, fed: bool = False) -> None:
        """Begin. `fed`: it will wait for more on its standard input. Raises OSError or ValueError: it cannot be started."""
        merged: dict[str, str] = {**env, TOKEN: self.life.token, FAULT_FILE: str(self.life.faults.path)}
        for name, value in command.env.items():
            if value is None:
                merged.pop(name, None)
            else:
                merged[name] = value
        if fed:
            merged[MORE_FILE] = str(self._more)
        spawned = spawn([str(word) for word in command.argv], cwd, merged, merged=command.merged, fed=fed)
        self._input = spawned.input
        self.life.adopt_output(spawned.outputs, _UNLIMITED)
        self.pause(self._host.paused)
        self._host.connections.add(self)
        self.life.born(spawned.pid)

    def feed(self, text: str) -> bool:
        """Leave `text` in the file of what is to do next, and say so by a line on standard input.

        False: the process takes no more, and its end will be heard of.
        """
        self._more.write_text(text, "utf-8", "surrogateescape")
        try:
            return os.write(self._input, b"\n") == 1
        except OSError:
            return False

    def close_input(self) -> None:
        """Nothing follows."""
        if self._input >= 0:
            os.close(self._input)
            self._input = -1

    def pause(self, paused: bool) -> None:
        """Let it wait while the journal has no room for what it says."""
        self._pipe.pause(paused)
        self.life.pause(paused)

    def dispose(self) -> None:
        """Forget everything about it, and end what it left behind."""
        self._host.connections.discard(self)
        self.close_input()
        self._more.unlink(missing_ok=True)
        self.life.dispose()
        self._pipe.close()
        self._path.unlink(missing_ok=True)

    def _said(self, stream: str, text: str) -> None:
        """People see a part of it live; the reader gets all."""
        if self._left > 0:
            self._log(stream, text[: self._left])
            self._left -= len(text)
            if self._left <= 0:
                self._log(stream, f"\n[crossfleet: more than {LIVE_OUTPUT_BYTES} of live output; the rest is cut]\n")
        self._take(stream, text)

    def _ended(self, code: int) -> None:
        self._pipe.drain(_UNLIMITED)
        self._on_end(code)
