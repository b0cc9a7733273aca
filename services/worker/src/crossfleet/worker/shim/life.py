"""One process of a slot, from the order to make it until it has been reaped and what it left behind is gone."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial

from crossfleet.worker.shim import inspection, processes
from crossfleet.worker.shim.capturefiles import CaptureFiles
from crossfleet.worker.shim.connection import Connection
from crossfleet.worker.shim.ending import Ending
from crossfleet.worker.shim.faults import STACKS_SECONDS, STACKS_SIGNAL, FaultFile, ask_for_stacks
from crossfleet.worker.shim.host import Host, Message
from crossfleet.worker.shim.limits import Cgroup
from crossfleet.worker.shim.memory import Watched, kernel_kills
from crossfleet.worker.shim.output import OutputPipe

CANCEL_SIGNAL = STACKS_SIGNAL + 1
CHECKPOINT_SIGNAL = STACKS_SIGNAL + 2
LIVE_OUTPUT_BYTES = 16 * 1024 * 1024
_TAIL_CHARACTERS = 4096
LATE = "the slot's process did not end when nothing was left for it"
_EXCEEDED_SECONDS = 0.1
"""How long a process that uses too much memory has to write its stacks."""
_TOGETHER_SECONDS = 0.25
"""Who ends a whole host, as systemd and batch systems do, sends SIGTERM to every process of it, and to the shim perhaps last."""
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
        self.faults = FaultFile(folder / self.token)
        self.pid = 0
        self.connection: Connection | None = None
        self.watched: Watched | None = None
        self.ending: Ending | None = None
        self.over_memory = 0
        self.overdue = ""
        self.killed = False
        self.number = 0
        self.results = 0
        self.on_ready: Callable[[], None] = _nothing
        self.on_line: Callable[[bytes], None] = _ignore
        self.on_end: Callable[[int], None] = _ignore_code
        self._pipes: list[OutputPipe] = []
        self.captured = CaptureFiles([])
        self._group: Cgroup | None = None
        self._stacks = ""
        self._seen = ""
        self._stacks_due = 0.0
        self._answers: list[Message] = []
        self._kernel_kills = kernel_kills()

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

    def warn(self, seconds: float) -> None:
        """Tell the case in flight that its process is ended in so many seconds."""
        self.send(b'{"op": "checkpoint", "seconds": %.3f}\n' % seconds)
        if self.connection is not None:
            processes.send_signal(self.pid, CHECKPOINT_SIGNAL)

    def ask_to_end(self) -> bool:
        """SIGTERM to those processes that handle it. False: none does."""
        able = [pid for pid in self._relatives() if processes.catches(pid, signal.SIGTERM)]
        for pid in able:
            processes.send_signal(pid, signal.SIGTERM)
        return bool(able)

    def wind_up(self, grace: float) -> None:
        """Nothing is wanted of it any more: let it tear down, then as ``interrupt``."""
        self.send(b'{"op": "last"}\n')
        if self.ending is None:
            self.ending = Ending(
                self._host.loop,
                [
                    (grace / 2, self._note_late),
                    (STACKS_SECONDS, self.terminate),
                    (grace / 2, self.kill),
                ],
            )

    def time_out(self, grace: float, overdue: str = "") -> None:
        """Let it and its children write their stacks, then SIGTERM, then SIGKILL after ``grace`` seconds.

        ``overdue``: what has taken too long, where that is no case.
        """
        if self.ending is None:
            self.overdue = overdue
            wait = self._take_stacks()
            self.ending = Ending(self._host.loop, [(wait, self.terminate), (grace, self.kill)])

    def forgive(self) -> bool:
        """Take back a time-out that has not gone further than asking for stacks. True when it was taken back."""
        if self.ending is None or self.ending.done:
            return False
        self.ending.cancel()
        self.ending = None
        return True

    def tell_stacks(self, answer: Message, *, wanted: bool) -> None:
        """Tell the agent ``answer``, with the stacks of all processes here where they are ``wanted``."""
        if wanted and self.pid:
            self._answers.append(answer)
            self._take_stacks()
        else:
            self._host.tell(answer)

    def kill(self) -> None:
        """SIGKILL the process and its group now."""
        if self.pid:
            self.killed = True
            processes.signal_group(self.pid, signal.SIGKILL)
            processes.send_signal(self.pid, signal.SIGKILL)

    def starved(self, code: int) -> bool:
        """True when the kernel killed the process because the host had no memory left; ``code``: how it ended."""
        return code == -signal.SIGKILL and not self.killed and kernel_kills() > self._kernel_kills

    def stacks(self) -> str:
        """Return the stacks that were taken before it was ended, else the traceback of the signal that killed it."""
        self._keep_stacks()
        taken = self._stacks if self.ending is not None or self.over_memory else ""
        return "\n".join(text for text in (taken, self.faults.text()) if text)

    def last_output(self, limit: int) -> list[list[str]]:
        """Return sections of what the process had printed into its capture files and nobody read.

        Where nothing captures at descriptors, they are the last lines of its pipes, whichever case wrote them.
        """
        if not self.captured:
            return [[f"{name} at the end", text[-_TAIL_CHARACTERS:]] for name, text in self.tails() if text]
        return self.captured.sections(limit)

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
            self.captured = CaptureFiles(descriptors[2:])

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
        self.captured.close()
        self.faults.remove()
        self.pid, self._stacks_due = 0, 0.0
        self._answer()

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
        if code == -signal.SIGTERM and self.ending is None:
            # Were it told as the death of a case, a host that is taken away would look like a bad test.
            self._host.loop.call_after(_TOGETHER_SECONDS, lambda: self.on_end(code) if self.pid else None)
        else:
            self.on_end(code)

    def _exceeded(self, used: int) -> None:
        if not self.over_memory:
            self._take_stacks()
            self._host.loop.call_after(_EXCEEDED_SECONDS, self.kill)
        self.over_memory = used

    def _ask_to_cancel(self) -> None:
        if self.connection is not None:
            processes.send_signal(self.pid, CANCEL_SIGNAL)
        processes.signal_group(self.pid, signal.SIGINT)

    def _take_stacks(self) -> float:
        """Begin to take stacks, unless that goes on already. Returns in how many seconds they are there."""
        if self._stacks_due or not self.pid:
            return max(0.0, self._stacks_due - self._host.loop.now)
        family = self._relatives()
        self.faults.forget()
        self._seen = inspection.describe(self.pid, family)
        seconds = ask_for_stacks(self._host.loop, self.faults, self.pid, family)
        self._stacks_due = self._host.loop.now + seconds
        self._host.loop.call_after(seconds, self._keep_stacks)
        return seconds

    def _keep_stacks(self) -> None:
        """Take the stacks in that have been written."""
        if self._stacks_due:
            self._stacks_due = 0.0
            self._stacks = "\n\n".join(text for text in (self.faults.text().strip("\n"), self._seen) if text)
            self.faults.forget()
            self._answer()

    def _answer(self) -> None:
        answers, self._answers = self._answers, []
        for answer in answers:
            self._host.tell({**answer, "stacks": self._stacks})

    def _relatives(self) -> set[int]:
        """Every process below this one, and those from below it that now are ours."""
        family = self.watched.family if self.watched is not None else set()
        spared = self._host.reaper.watched
        adopted = [one.pid for one in processes.table().values() if one.parent == os.getpid() and one.pid in family]
        return processes.tree(self.pid) | {pid for pid in adopted if pid not in spared}

    def _note_late(self) -> None:
        self.overdue = LATE
        self._take_stacks()

    def terminate(self) -> None:
        """SIGTERM the process and its group."""
        processes.signal_group(self.pid, signal.SIGTERM)


def _nothing() -> None:
    return None


def _ignore(line: bytes) -> None:
    return None


def _ignore_code(code: int) -> None:
    return None
