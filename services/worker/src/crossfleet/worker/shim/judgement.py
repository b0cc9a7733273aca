"""What the end of a slot's process means: for the case in flight, for its attempt, for those that had not begun."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from crossfleet.worker.shim import death
from crossfleet.worker.shim.cores import core_hint
from crossfleet.worker.shim.host import Host, Message
from crossfleet.worker.shim.life import Life
from crossfleet.worker.shim.reaper import described

Case = tuple[int, int]
"""Attempt and index."""


@dataclass(frozen=True)
class End:
    """What is known when a process has ended. ``timed_out`` is the case that was over its ``limit`` in seconds."""

    life: Life
    code: int
    current: Case | None
    seconds: float
    timed_out: Case | None
    limit: float
    goodbye: Message


@dataclass(frozen=True)
class Judgement:
    """How the attempt ends, and why; ``extra`` goes with it. Without a cause it does not end: its cases run again.

    With ``outcome`` the case in flight is to blame, and has that one. ``note`` is for the log of the run.
    """

    cause: str = ""
    message: str = ""
    outcome: str = ""
    note: str = ""
    extra: Message = field(default_factory=dict)


class Judge:
    """Judges the ends of one slot's processes, which have ``memory_bytes`` and run ``program`` in ``folder``."""

    def __init__(self, host: Host, order: Message, memory_bytes: int) -> None:
        self._host = host
        self._program, self._folder = str(order.get("python") or ""), str(order["cwd"])
        self._output_bytes = int((order.get("limits") or {}).get("output_bytes") or 65536)
        self._memory_bytes = memory_bytes

    def begun(self, end: End, *, cancelled: bool) -> Judgement:
        """Judge the end of a process whose attempt had begun."""
        life, code, current = end.life, end.code, end.current
        if cancelled:
            return Judgement("cancelled")
        if life.over_memory and end.timed_out is None:
            return self._over_memory(life, current)
        if life.starved(code):
            message = f"the host had no memory left, and its kernel killed the slot's process; {_peak(life)} MiB seen"
            return Judgement("out_of_memory", message, extra={"current": current[1] if current else None})
        if end.goodbye.get("reason") == "stopped":
            stop = str(end.goodbye.get("message", ""))
            return Judgement("crashed", f"the suite asked to stop: {stop}", extra={"stop": stop})
        if current is None:
            return Judgement("crashed", f"the slot's process {described(code)} between two cases")
        return _in_flight(end)

    def unstarted(self, end: End) -> str:
        """Say why a process ended before it began any case."""
        reason = f"the slot's process {described(end.code)} before its first case"
        if end.life.over_memory:
            reason = f"{death.out_of_memory(self._memory_bytes, end.life.over_memory)} before the first case"
        reason = end.goodbye.get("message") or end.life.overdue or reason
        return f"{reason}\n{end.life.tail()}\n{end.life.stacks()}".strip()

    def result(self, end: End, case: Case, judgement: Judgement) -> Message:
        """Return the result of the case that is to blame."""
        hint = ""
        if self._host.reaper.dumped_core(end.life.pid):
            hint = core_hint(end.life.pid, self._program, self._folder, time.time() - end.seconds)
        return death.result(
            end.life,
            case,
            judgement.outcome,
            judgement.message,
            end.seconds,
            code=end.code,
            output_bytes=self._output_bytes,
            hint=hint,
        )

    def _over_memory(self, life: Life, current: Case | None) -> Judgement:
        """The slot used more than the run allows: a case that had its process for itself is to blame.

        After others it runs again, first in the next process: what they had left there may have been too much.
        """
        seen = max(life.over_memory, life.watched.measured() if life.watched is not None else 0)
        message = death.out_of_memory(self._memory_bytes, seen)
        if current is not None and not life.results:
            return Judgement("crashed", message + ", in a process of its own", outcome="crashed")
        what = f"during case {current[1]}, which runs again in a process of its own" if current else "between two cases"
        return Judgement(note=f"{message}, {what}")


def late(life: Life, code: int) -> str:
    """Say what was wrong with an end after which nothing was left to run; an empty text where nothing was."""
    if life.results and code < 0 and not life.killed and (life.ending is None or not life.ending.done):
        return f"the slot's process {described(code)} after its last case"
    return f"{life.overdue}, and was ended" if life.overdue else ""


def _in_flight(end: End) -> Judgement:
    """The case in flight took the process down, or was taken down at its time limit."""
    why = f"the process {described(end.code)}"
    if end.timed_out is None:
        return Judgement("crashed", why, outcome="crashed")
    if end.timed_out != end.current:
        # The slow case did end, but too late to stop the signal, which has hit an innocent one.
        return Judgement("crashed", f"{why} for a time limit that another case exceeded")
    return Judgement("crashed", f"exceeded the time limit of {end.limit:g} s", outcome="timed_out")


def _peak(life: Life) -> int:
    return (life.watched.peak if life.watched is not None else 0) >> 20
