"""Live bars on a terminal, one a target."""

from __future__ import annotations

import time

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from crossfleet.api.types.v1 import result_pb2
from crossfleet.cli.reporting.case_lines import line_of
from crossfleet.cli.running.progress import BAD, Progress, TargetProgress
from crossfleet.cli.running.view import duration, longest

_MOST_FAILURES = 10


class BarView:
    """Bars that refresh themselves; failures scroll by above them."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._live = Live(Text("starting"), console=self._console, refresh_per_second=4, transient=True)
        self._live.start()
        self._failures = 0

    def update(self, progress: Progress) -> None:
        """Draws all targets anew."""
        now = time.time()
        table = Table.grid(padding=(0, 1))
        for target in progress.targets.values():
            table.add_row(*_row(target, now))
        lines: list[Table | Text] = [table]
        if text := longest(progress, now):
            lines.append(Text(text, style="dim", overflow="ellipsis", no_wrap=True))
        if progress.stopping:
            lines.append(Text(f"stopping: {progress.stopping}", style="yellow"))
        self._live.update(Group(*lines))

    def finished(self, case: result_pb2.CaseRecord, mark: str) -> None:
        """The first failures, each in a line; the report has them all."""
        if case.outcome not in BAD:
            return
        self._failures += 1
        if self._failures <= _MOST_FAILURES:
            self._console.print(Text(line_of(case, mark), style="red", overflow="ellipsis", no_wrap=True))
        elif self._failures == _MOST_FAILURES + 1:
            self._console.print(Text("more failures are in the report", style="red"))

    def note(self, text: str) -> None:
        """A line above the bars."""
        self._console.print(Text(text, style="dim"))

    def line(self, text: str) -> None:
        """A line above the bars, with the colours that it has."""
        self._console.print(Text.from_ansi(text), soft_wrap=True)

    def close(self) -> None:
        """Takes the bars away."""
        self._live.stop()


def _row(target: TargetProgress, now: float) -> tuple[Text | ProgressBar, ...]:
    bar = ProgressBar(total=target.total or None, completed=target.done, width=30, pulse=not target.total)
    counts = Text(f"{target.done}/{target.total or '?'}", justify="right")
    failed = Text(f"{target.failed} failed", style="red") if target.failed else Text("")
    flaky = Text(f"{target.flaky} flaky", style="yellow") if target.flaky else Text("")
    return (Text(target.name, style="bold"), bar, counts, failed, flaky, Text(_state(target, now), style="dim"))


def _state(target: TargetProgress, now: float) -> str:
    if target.finished:
        return target.ended
    if target.waiting:
        return f"waits: {target.waiting}"
    left = target.seconds_left(now)
    if left is not None:
        return f"{target.rate(now):.0f}/s, {duration(left)} left"
    return "running" if target.total else "collecting"
