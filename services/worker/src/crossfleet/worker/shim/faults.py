"""The file into which the processes of a slot write their stacks, and how they are asked to."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from pathlib import Path

from crossfleet.worker.shim import processes
from crossfleet.worker.shim.loop import Loop
from crossfleet.worker.shim.traces import trimmed

STACKS_SIGNAL = int(signal.SIGRTMAX) - 2
STACKS_SECONDS = 0.25
"""How long a process has to write its stacks before something else is done to it."""
_NEXT_SECONDS = 0.1
"""How long each further process has: one after the other, so that their stacks do not mix."""
_MOST_ASKED = 8
_FAULT_BYTES = 128 * 1024


class FaultFile:
    """What faulthandler wrote: the traceback of a fatal signal, or stacks that were asked for.

    What was asked for and read is not shown again as the traceback of a later death.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read_to = 0

    def text(self) -> str:
        """Return what was written and not forgotten, at most 128 KiB, without the frames that lie below every test."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._read_to)
                return trimmed(file.read(_FAULT_BYTES).decode("utf-8", "surrogateescape"))
        except OSError:
            return ""

    def forget(self) -> None:
        """Show no more what has been written so far."""
        try:
            self._read_to = self.path.stat().st_size
        except OSError:
            self._read_to = 0

    def remove(self) -> None:
        """Remove the file; one that is not there is no error."""
        self.path.unlink(missing_ok=True)

    def note(self, line: str) -> None:
        """Append a line of our own."""
        with self.path.open("ab") as file:
            file.write(line.encode("utf-8", "surrogateescape") + b"\n")


def ask_for_stacks(loop: Loop, faults: FaultFile, root: int, family: Iterable[int]) -> float:
    """Have ``root`` and its ``family`` write their stacks, as far as they can. Returns the seconds that this will take.

    Forks of a slot have inherited its handler; whoever has none is left alone, the signal would end it.
    """
    able = [pid for pid in (root, *sorted(family)) if processes.catches(pid, STACKS_SIGNAL)]
    if not able:
        return 0.0
    processes.send_signal(able[0], STACKS_SIGNAL)
    forks = [pid for pid in able[1 : 1 + _MOST_ASKED] if pid != root]
    for place, pid in enumerate(forks):
        loop.call_after(STACKS_SECONDS + place * _NEXT_SECONDS, _asking(faults, pid))
    return STACKS_SECONDS + len(forks) * _NEXT_SECONDS


def _asking(faults: FaultFile, pid: int) -> Callable[[], None]:
    def ask() -> None:
        if processes.catches(pid, STACKS_SIGNAL):
            faults.note(f"\nStacks of its child {pid}:")
            processes.send_signal(pid, STACKS_SIGNAL)

    return ask
