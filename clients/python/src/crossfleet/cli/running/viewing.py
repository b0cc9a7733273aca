"""Which view a command gets."""

from __future__ import annotations

import sys
from collections.abc import Callable

from crossfleet.cli.running.outputs import Outputs
from crossfleet.cli.running.view import LineView, NullView, View
from crossfleet.cli.unheard import write_line


def view_of(outputs: Outputs) -> View:
    """Nothing when only the verdict is wanted, bars on a terminal, else lines; with -v a line for each case."""
    verbosity = outputs.style.verbosity
    if verbosity < -1:
        return NullView()
    if sys.stderr.isatty() and outputs.color not in ("never", "no"):
        from crossfleet.cli.running.bars import BarView

        bars = BarView()
        # Where both streams are one screen, a line has to go round the bars.
        return _each_case(bars, outputs, bars.line if sys.stdout.isatty() else _print) if verbosity > 0 else bars
    lines = LineView(quiet=verbosity < 0)
    return _each_case(lines, outputs, _print) if verbosity > 0 else lines


def _each_case(inner: View, outputs: Outputs, write: Callable[[str], None]) -> View:
    from crossfleet.cli.running.each_case import EachCaseView

    if outputs.files.json == "-":
        write = inner.note  # standard output is the document's
    return EachCaseView(inner, write, outputs.paint)


def _print(text: str) -> None:
    write_line(text, sys.stdout)
