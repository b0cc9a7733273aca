"""One process of a slot, from the order to make it until it has been reaped and what it left behind is gone."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial

from crossfleet.worker.shim import processes
from crossfleet.worker.shim.connection import Connection
from crossfleet.worker.shim.ending import Ending
from crossfleet.worker.shim.host import Host, Message
from crossfleet.worker.shim.limits import Cgroup
from crossfleet.worker.shim.memory import Watched
from crossfleet.worker.shim.output import OutputPipe

STACKS_SIGNAL = int(signal.SIGRTMAX) - 2
CANCEL_SIGNAL = STACKS_SIGNAL + 1
_STACKS_SECONDS = 0.25
"""How long a process has to write its stacks before it is ended."""
LIVE_OUTPUT_BYTES = 16 * 1024 * 1024
_FAULT_BYTES = 128 * 1024
TOKEN = "CROSSFLEET_SLOT_TOKEN"  # noqa: S105 - the name of a variable


class Life:
    """A slot's process. ``on_ready`` is called at its hello, ``on_line`` with its lines, ``on_end`` with its exit code.

    ``forward(stream, text)`` gets its uncaptured output.
    """

    def __init__(self, host: Host, memory_bytes: int, forward: Callable[[str, str], None]) -> None:
        self._host = host
        self._memory_bytes = memory_bytes
        self._forward = forward
        self.token = host.expect(self._greeted)
        folder = host.folder / "faults"
        folder.mkdir(exist_ok=True)
        self.fault_path = folder / self.token
        self.pid = 0
        self.connection: Connection | None = None
        self.watched: Watched | None = None
        self.ending: Ending | None = None
        self.over_memory = 0
        self.on_ready: Callable[[], None] = _nothing
        self.on_line: Callable[[bytes], None] = _ignore
        self.on_end: Callable[[int], None] = _ignore_code
        self._pipes: list[OutputPipe] = []
        self._captured: list[int] = []
        self._group: Cgroup | None = None

    @property
    def ready(self) -> bool:
        """True once the process has said hello and is not being ended."""
        return self.connection is not None

    def born(self, pid: int) -> None:
        """Take note of the process that the zygote forked or the shim started."""
        if self.pid == 0:
            self.pid = pid
            self.watched = self._host.memory.add(pid, self._memory_bytes, self._exceeded)
            if self._memory_bytes and self._host.cgroups is not None:
                self._group = self._host.cgroups.confine(f"crossfleet-{self.token}", pid, self._memory_bytes)
            self._host.reaper.watch(pid, self._reaped)

    def send(self, line: bytes) -> None:
        """Send a line to the process, when it is there."""
        if self.connection is not None:
            self.connection.send(line)
            self.connection.flush()

    def interrupt(self, grace: float) -> None:
        """SIGINT as Ctrl-C would, then SIGTERM, then SIGKILL, within ``grace`` seconds."""
        if self.ending is not None:
            self.ending.cancel()
        self.ending = Ending(
            self._host.loop,
            [(0, self._ask_to_cancel), (grace / 2, self.terminate), (grace / 2, self.kill)],
        )

    def wind_up(self, grace: float) -> None:
        """Nothing is wanted of it any more: let it tear down, then as ``interrupt``."""
        self.send(b'{"op": "last"}\n')
        if self.ending is None:
            steps = [(grace / 2, self.terminate), (grace / 2, self.kill)]
            self.ending = Ending(self._host.loop, steps)

    def time_out(self, grace: float) -> None:
        """Let it write its stacks, then SIGTERM, then SIGKILL after ``grace`` seconds."""
        if self.ending is None:
            steps = [(0.0, self._ask_for_stacks), (_STACKS_SECONDS, self.terminate), (grace, self.kill)]
            self.ending = Ending(self._host.loop, steps)

    def forgive(self) -> bool:
        """Take back a time-out that has not gone further than asking for stacks. True when it was taken back."""
        if self.ending is None or self.ending.done > 1:
            return False
        self.ending.cancel()
        self.ending = None
        self.fault_path.write_bytes(b"")
        return True

    def kill(self) -> None:
        """SIGKILL the process and its group now."""
        if self.pid:
            processes.signal_group(self.pid, signal.SIGKILL)
            processes.send_signal(self.pid, signal.SIGKILL)

    def stacks(self) -> str:
        """Return what faulthandler wrote: the traceback of a fatal signal, or the stacks at a time-out."""
        try:
            with self.fault_path.open("rb") as file:
                return file.read(_FAULT_BYTES).decode("utf-8", "surrogateescape")
        except OSError:
            return ""

    def captured(self, limit: int) -> list[list[str]]:
        """Return sections of what the process had printed into its capture files and pipes and nobody read."""
        sections = []
        for name, descriptor in zip(("stdout", "stderr"), self._captured, strict=False):
            size = os.fstat(descriptor).st_size
            text = os.pread(descriptor, limit, max(0, size - limit)).decode("utf-8", "surrogateescape")
            if text:
                cut = max(0, size - limit)
                mark = f"[crossfleet: {cut} bytes cut here]\n" if cut else ""
                sections.append([f"Captured {name} before the end", mark + text])
        return sections

    def tail(self) -> str:
        """Return the end of its uncaptured output."""
        return "".join(pipe.tail() for pipe in self._pipes)

    def tails(self) -> list[tuple[str, str]]:
        """Return the end of stdout and of stderr."""
        return list(zip(("stdout", "stderr"), (pipe.tail() for pipe in self._pipes), strict=False))

    def adopt_output(self, descriptors: list[int], budget: int = LIVE_OUTPUT_BYTES) -> None:
        """Read stdout and stderr from the first two descriptors; the others are capture files.

        ``budget``: the bytes of each that are forwarded.
        """
        for stream, descriptor in zip(("stdout", "stderr"), descriptors, strict=False):
            forward = partial(self._forward, stream)
            self._pipes.append(OutputPipe(self._host.loop, descriptor, forward, budget))
        if descriptors[2:]:
            self._captured = descriptors[2:]

    def pause(self, paused: bool) -> None:
        """Let the process wait when it writes."""
        for pipe in self._pipes:
            pipe.pause(paused)

    def dispose(self) -> None:
        """Kill what the process left behind and forget everything about it."""
        self._host.expect_no_more(self.token)
        if self.ending is not None:
            self.ending.cancel()
        if self.watched is not None:
            self._host.memory.remove(self.watched)
        if self.connection is not None:
            self.connection.close()
            self.connection = None
        self._kill_orphans()
        self._remove_group()
        for pipe in self._pipes:
            pipe.close()
        for descriptor in self._captured:
            os.close(descriptor)
        self._captured = []
        self.fault_path.unlink(missing_ok=True)

    def _remove_group(self, left: int = 20) -> None:
        """A group can go only when its last process has: look again for a second."""
        if self._group is not None and not self._group.remove() and left:
            self._host.loop.call_after(0.05, lambda: self._remove_group(left - 1))

    def _kill_orphans(self) -> None:
        if not self.pid:
            return
        if self._group is not None:
            self._group.kill()
        processes.signal_group(self.pid, signal.SIGKILL)
        spared = self._host.reaper.watched
        processes.kill_marked(f"{TOKEN}={self.token}".encode(), spared)
        family = self.watched.family if self.watched is not None else set()
        for process in processes.table().values():
            # A fork without exec shows its zygote's environment: only what was seen below the slot tells its owner.
            if process.pid in family and process.parent == os.getpid() and process.pid not in spared:
                processes.send_signal(process.pid, signal.SIGKILL)

    def _greeted(self, connection: Connection, hello: Message) -> None:
        self.connection = connection
        connection.on_line = self.on_line
        self.adopt_output(connection.descriptors)
        connection.descriptors = []
        self.born(connection.peer())
        self.on_ready()

    def _reaped(self, code: int) -> None:
        # It is gone, so all that it ever wrote has arrived.
        if self.connection is not None:
            self.connection.drain()
        for pipe in self._pipes:
            pipe.drain()
        if self._group is not None and self._group.ran_out():
            self.over_memory = self.over_memory or self._memory_bytes
        self.on_end(code)

    def _exceeded(self, used: int) -> None:
        self.over_memory = used
        self.kill()

    def _ask_to_cancel(self) -> None:
        if self.connection is not None:
            processes.send_signal(self.pid, CANCEL_SIGNAL)
        processes.signal_group(self.pid, signal.SIGINT)

    def _ask_for_stacks(self) -> None:
        if self.connection is not None:
            processes.send_signal(self.pid, STACKS_SIGNAL)

    def terminate(self) -> None:
        """SIGTERM the process and its group."""
        processes.signal_group(self.pid, signal.SIGTERM)


def _nothing() -> None:
    return None


def _ignore(line: bytes) -> None:
    return None


def _ignore_code(code: int) -> None:
    return None
