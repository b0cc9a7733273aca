"""What a person sees while a run goes on: bars on a terminal, a line now and then elsewhere, or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Protocol, TextIO

from crossfleet.api.types.v1 import result_pb2
from crossfleet.cli.reporting.case_lines import line_of
from crossfleet.cli.running.progress import BAD, Progress, TargetProgress
from crossfleet.cli.unheard import write_line

LINE_SECONDS = 5.0
LONGEST_SECONDS = 30.0
"""How often a plain line says which case has run longest."""
UNLIMITED_SECONDS = 60.0
"""A case without a time limit that runs for longer than this may be hanging for ever."""


class View(Protocol):
    """Shows a run. `update` is called after events and at least four times a second."""

    def update(self, progress: Progress) -> None:
        """Shows how far the run is."""

    def finished(self, case: result_pb2.CaseRecord, mark: str) -> None:
        """Takes note of a case that got its verdict just now; `mark` names its target where the run has several."""

    def note(self, text: str) -> None:
        """Shows a line for people."""

    def close(self) -> None:
        """Leaves the terminal as it was."""


class NullView:
    """Shows nothing (-qq)."""

    def update(self, progress: Progress) -> None:
        """Nothing."""

    def finished(self, case: result_pb2.CaseRecord, mark: str) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class LineView:
    """Plain lines for what has changed, every few seconds at most; when a target ends; and for a case that lasts."""

    def __init__(
        self, stream: TextIO | None = None, now: Callable[[], float] = time.time, *, quiet: bool = False
    ) -> None:
        """`quiet`: only failures, waits and notes, not how far the run is."""
        self._quiet = quiet
        self._stream = stream or sys.stderr
        self._now = now
        self._next = self._longest_next = 0.0
        self._said: dict[str, tuple[int, int]] = {}
        self._told: set[str] = set()
        self._waiting: dict[str, str] = {}

    def update(self, progress: Progress) -> None:
        """One line a target that changed."""
        now = self._now()
        due = now >= self._next
        for target in progress.targets.values():
            if self._quiet:
                pass
            elif target.finished and target.name not in self._told:
                self._told.add(target.name)
                self.note(_sentence(target, now))
            elif due and not target.finished and target.done and self._changed(target):
                self.note(_sentence(target, now))
            if target.waiting and self._waiting.get(target.name) != target.waiting:
                self._waiting[target.name] = target.waiting
                self.note(f"{target.name}: waits: {target.waiting}")
        if due:
            self._next = now + LINE_SECONDS
        if now >= self._longest_next and (text := longest(progress, now)):
            self._longest_next = now + LONGEST_SECONDS
            self.note(text)

    def _changed(self, target: TargetProgress) -> bool:
        before, self._said[target.name] = self._said.get(target.name), (target.done, target.failed)
        return before != self._said[target.name]

    def finished(self, case: result_pb2.CaseRecord, mark: str) -> None:
        """A line for each failure."""
        if case.outcome in BAD:
            self.note(line_of(case, mark))

    def note(self, text: str) -> None:
        """The text itself."""
        write_line(text, self._stream)

    def close(self) -> None:
        """Nothing: lines stay."""


def _sentence(target: TargetProgress, now: float) -> str:
    parts = [f"{target.name}: {target.done}/{target.total}"]
    parts += [f"{target.failed} failed"] if target.failed else []
    parts += [f"{target.flaky} flaky"] if target.flaky else []
    if target.finished:
        parts.append(target.ended)
    elif (left := target.seconds_left(now)) is not None:
        parts.append(f"{target.rate(now):.0f}/s, about {duration(left)} left")
    return ", ".join(parts)


def longest(progress: Progress, now: float) -> str:
    """Which case has run longest, where that is more than a few seconds; else empty."""
    case = progress.longest()
    if case is None or now - case.since <= LINE_SECONDS:
        return ""
    seconds = now - case.since
    unlimited = not progress.case_limited and seconds > UNLIMITED_SECONDS
    hint = "; nothing limits it (--case-timeout would)" if unlimited else ""
    return f"longest: {case.case_id}{progress.mark(case)} {duration(seconds)} on {case.worker_id}/{case.slot}{hint}"


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
