"""What a person sees while a run goes on: bars on a terminal, a line now and then elsewhere, or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Protocol, TextIO

from crossfleet.api.types.v1 import result_pb2
from crossfleet.cli.running.progress import Progress, TargetProgress

LINE_SECONDS = 5.0


class View(Protocol):
    """Shows a run. `update` is called after events and at least four times a second."""

    def update(self, progress: Progress) -> None:
        """Shows how far the run is."""

    def failed(self, case: result_pb2.CaseRecord) -> None:
        """Shows a case that failed just now."""

    def note(self, text: str) -> None:
        """Shows a line for people."""

    def close(self) -> None:
        """Leaves the terminal as it was."""


class NullView:
    """Shows nothing (-qq)."""

    def update(self, progress: Progress) -> None:
        """Nothing."""

    def failed(self, case: result_pb2.CaseRecord) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class LineView:
    """Plain lines: every few seconds at most, and when a target ends."""

    def __init__(self, stream: TextIO | None = None, now: Callable[[], float] = time.time) -> None:
        self._stream = stream or sys.stderr
        self._now = now
        self._next = 0.0
        self._told: set[str] = set()
        self._waiting: dict[str, str] = {}

    def update(self, progress: Progress) -> None:
        """One line a target that changed."""
        now = self._now()
        due = now >= self._next
        for target in progress.targets.values():
            if target.finished and target.name not in self._told:
                self._told.add(target.name)
                self.note(_sentence(target, now))
            elif due and not target.finished and target.done:
                self.note(_sentence(target, now))
            if target.waiting and self._waiting.get(target.name) != target.waiting:
                self._waiting[target.name] = target.waiting
                self.note(f"{target.name}: waits: {target.waiting}")
        if due:
            self._next = now + LINE_SECONDS

    def failed(self, case: result_pb2.CaseRecord) -> None:
        """A line for each failure."""
        self.note(failure_line(case))

    def note(self, text: str) -> None:
        """The text itself."""
        print(text, file=self._stream, flush=True)

    def close(self) -> None:
        """Nothing: lines stay."""


def _sentence(target: TargetProgress, now: float) -> str:
    parts = [f"{target.name}: {target.done}/{target.total}"]
    parts += [f"{target.failed} failed"] if target.failed else []
    parts += [f"{target.flaky} flaky"] if target.flaky else []
    if target.finished:
        parts.append("ended before its time" if target.cause else "done")
    elif (left := target.seconds_left(now)) is not None:
        parts.append(f"{target.rate(now):.0f}/s, about {duration(left)} left")
    if not target.finished and (longest := target.longest()) is not None and now - longest.since > LINE_SECONDS:
        parts.append(f"longest: {longest.place}, for {duration(now - longest.since)}")
    return ", ".join(parts)


def failure_line(case: result_pb2.CaseRecord) -> str:
    """`FAILED id - message [target]`, as pytest's short summary."""
    word = result_pb2.Outcome.Name(case.outcome).removeprefix("OUTCOME_")
    message = f" - {case.message}" if case.message else ""
    return f"{word} {case.case_id}{message} [{case.target}]{again(case)}"


def again(case: result_pb2.CaseRecord) -> str:
    """` (run 3 times: slot 0 of a, slot 1 of a, slot 0 of b)` of a case that was run again; else empty."""
    if not case.earlier:
        return ""
    places = [(one.worker_id or case.worker_id, one.slot if one.worker_id else case.slot) for one in case.earlier]
    if case.attempt_id:  # else the last failure is the verdict: it could not be run again
        places.append((case.worker_id, case.slot))
    shown = ", ".join(f"slot {slot} of {worker}" for worker, slot in dict.fromkeys(places))
    times = "once" if len(places) == 1 else f"{len(places)} times"
    return f" (run {times}: {shown})"


def duration(seconds: float) -> str:
    """A span for people: `0.4 s`, `12 s`, `3 m 05 s`, `2 h 10 m`."""
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} m"
