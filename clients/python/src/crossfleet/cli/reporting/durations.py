"""The slowest phases of a run, as pytest's --durations lists them. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from crossfleet.cli.reporting.headlines import target_mark
from crossfleet.cli.reporting.matrix import slowest
from crossfleet.cli.reporting.paint import Paint
from crossfleet.cli.reporting.part import Part, ruler
from crossfleet.cli.reporting.style import ReportStyle
from crossfleet.cli.running.results import RunResults


def durations(results: RunResults, paint: Paint, style: ReportStyle) -> Iterator[Part]:
    """The N slowest phases (0: all) that --durations asks for; without it the slowest cases, unless quiet."""
    if style.durations is not None:
        yield from _phases(results, style.durations, style)
    elif style.verbosity >= 0 and (slow := slowest(results.cases)):
        marks = [target_mark(results, case.target) for case in slow]
        lines = [f"  {case.seconds:8.2f} s  {case.case_id}{mark}" for case, mark in zip(slow, marks, strict=True)]
        yield Part("\n".join(["", paint("slowest", "bold"), *lines]))


def _phases(results: RunResults, count: int, style: ReportStyle) -> Iterator[Part]:
    least = 0.0 if style.verbosity > 1 else style.durations_min
    measured = sorted(_measured(results), key=lambda phase: -phase[0])
    if not measured:
        return
    wanted = measured[:count] if count else measured
    shown = [phase for phase in wanted if phase[0] >= least]
    title = f"slowest {count} durations" if count else "slowest durations"
    lines = ["\n" + ruler(title, style.width)]
    lines += [f"{seconds:.2f}s {phase:<8} {name}" for seconds, phase, name in shown]
    if hidden := len(wanted) - len(shown):
        lines.append(f"\n({hidden} durations < {least:g}s hidden.  Use -vv to show these durations.)")
    yield Part("\n".join(lines), fold=title)


def _measured(results: RunResults) -> Iterator[tuple[float, str, str]]:
    """Seconds, phase and name of each phase. A passed case whose phases were not kept spent its time in its call."""
    for case in results.cases:
        name = case.case_id + target_mark(results, case.target)
        detail = results.detail(case)
        if detail is None:
            if case.seconds:
                yield case.seconds, "call", name
            continue
        yield detail.setup_seconds, "setup", name
        yield detail.call_seconds, "call", name
        yield detail.teardown_seconds, "teardown", name
