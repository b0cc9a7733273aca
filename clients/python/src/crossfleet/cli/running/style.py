"""The report's style, from a command line."""

from __future__ import annotations

import argparse
import shutil

from crossfleet.cli.reporting.style import REASONS, ReportStyle, reasons
from crossfleet.cli.running.command import Command
from crossfleet.cli.running.options import RunOptions

_DURATIONS_MIN = 0.005


def style_of_run(options: RunOptions, command: Command) -> ReportStyle:
    """What pytest's arguments ask for. The command's own -v and -q win over pytest's, whose -qq is no more than -q."""
    said = command.pytest
    if said is None:
        return ReportStyle(verbosity=options.verbose - options.quiet, width=_width())
    own = options.verbose or options.quiet
    return ReportStyle(
        verbosity=options.verbose - options.quiet if own else max(said.verbosity, -1),
        traceback_style=said.traceback_style or "auto",
        show_reasons=reasons(said.show_reasons or REASONS),
        durations=said.durations,
        durations_min=_DURATIONS_MIN if said.durations_min is None else said.durations_min,
        show_capture=said.show_capture or "all",
        show_summary=said.show_summary,
        width=_width(),
    )


def style_of(options: argparse.Namespace) -> ReportStyle:
    """What `add_style` and `add_loudness` read."""
    return ReportStyle(
        verbosity=options.verbose - options.quiet,
        traceback_style=options.traceback_style,
        show_reasons=reasons(options.show_reasons or REASONS),
        durations=options.durations,
        durations_min=_DURATIONS_MIN if options.durations_min is None else options.durations_min,
        show_capture=options.show_capture,
        show_summary=options.show_summary,
        width=_width(),
    )


def colour_of_run(options: RunOptions, command: Command) -> str:
    """`--color` of the command, else of pytest."""
    if options.color != "auto" or command.pytest is None:
        return options.color
    return command.pytest.color or "auto"


def _width() -> int:
    return shutil.get_terminal_size().columns
