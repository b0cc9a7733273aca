"""The process that reads the host's gauges for an allocation: a driver that hangs hangs there, not in the shim."""

from __future__ import annotations

import json
import os
import sys
from collections import deque
from collections.abc import Callable

from crossfleet.worker.shim import processes
from crossfleet.worker.shim.gates import Reading
from crossfleet.worker.shim.host import Host, Message
from crossfleet.worker.shim.loop import Timer
from crossfleet.worker.shim.output import OutputPipe
from crossfleet.worker.shim.zygote import ALLOCATION_TOKEN, spawn

_PATIENCE_SECONDS = 10.0
"""How long a reading may take, the start of the process with it."""
_UNLIMITED = 1 << 62

Taken = Callable[[Reading | None], None]
"""Gets a reading; None: there is none, see ``Gauge.trouble``."""


class Gauge:
    """Started when it is first asked, with the allocation's ``mark``; one that has ended, or does not answer, is started anew at the next question."""

    def __init__(self, host: Host, order: Message, mark: str) -> None:
        self._host = host
        self._root = str((order.get("gates") or {}).get("root") or "/")
        self._mark = mark
        self._pid = 0
        self._input = -1
        self._outputs: list[OutputPipe] = []
        self._asked: deque[Taken] = deque()
        self._text = ""
        self._timer: Timer | None = None
        self._closed = False
        self.trouble = ""

    def ask(self, taken: Taken) -> None:
        """Let ``taken`` have a reading, later."""
        if self._closed:
            return
        self._asked.append(taken)
        try:
            if not self._pid:
                self._start()
            os.write(self._input, b"\n")
        except (OSError, ValueError) as error:
            trouble = f"the gauges cannot be asked: {error}"
            self._host.loop.call_after(0, lambda: self._fail(trouble))
            return
        if self._timer is None:
            self._timer = self._host.loop.call_after(_PATIENCE_SECONDS, self._late)

    def close(self) -> None:
        """End it for good. Whoever has asked, or asks later, gets nothing."""
        self._closed = True
        self._asked.clear()
        self._end()

    def _start(self) -> None:
        command = [sys.executable, "-P", "-m", "crossfleet.worker.gauges", self._root, str(os.getpid())]
        spawned = spawn(command, str(self._host.folder), {**os.environ, ALLOCATION_TOKEN: self._mark}, fed=True)
        self._pid, self._input, self._text = spawned.pid, spawned.input, ""
        takers = (self._said, lambda text: None)
        self._outputs = [
            OutputPipe(self._host.loop, descriptor, take, _UNLIMITED)
            for descriptor, take in zip(spawned.outputs, takers, strict=True)
        ]
        self._host.reaper.watch(spawned.pid, lambda code: self._ended(spawned.pid))

    def _said(self, text: str) -> None:
        *lines, self._text = (self._text + text).split("\n")
        for line in lines:
            if not self._asked:
                return
            taken = self._asked.popleft()
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._host.loop.call_after(_PATIENCE_SECONDS, self._late) if self._asked else None
            taken(json.loads(line))

    def _ended(self, pid: int) -> None:
        if pid == self._pid:
            for pipe in self._outputs:
                pipe.drain()
            said = self._outputs[1].tail().strip().splitlines()
            self._fail(f"the process that reads the gauges has ended: {said[-1] if said else 'it said nothing'}")

    def _late(self) -> None:
        self._timer = None
        self._fail(f"the gauges did not answer within {_PATIENCE_SECONDS:g} s")

    def _fail(self, trouble: str) -> None:
        self.trouble = trouble
        asked, self._asked = self._asked, deque()
        self._end()
        for taken in asked:
            taken(None)

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._pid:
            processes.signal_group(self._pid, 9)
            self._pid = 0
            os.close(self._input)
            for pipe in self._outputs:
                pipe.close()
