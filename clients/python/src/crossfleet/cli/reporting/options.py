"""The options of every command that reports a run."""

from __future__ import annotations

import argparse

from crossfleet.cli.reporting.style import CAPTURES, SERVICES, TRACEBACKS


def add_report_files(add_to: argparse._ActionsContainer) -> None:
    """Where reports are written, and which CI service reads the log."""
    add = add_to.add_argument
    add("--junit", default="", metavar="FILE", help="write a JUnit XML report")
    add("--json", default="", metavar="FILE", help="write a JSON report (`-` for standard output)")
    add("--html", default="", metavar="FILE", help="write one HTML file that opens without a network")
    add("--summary", default="", metavar="FILE", help="write a Markdown summary for a CI service's page")
    add(
        "--ci",
        choices=("auto", "none", *SERVICES),
        default="auto",
        help="fold the log and annotate failures as this service wants it; default: auto, by its variables",
    )


def add_style(add_to: argparse._ActionsContainer) -> None:
    """How the report looks; `crossfleet run` takes these from pytest's own arguments."""
    add = add_to.add_argument
    add("--tb", choices=TRACEBACKS, default="auto", dest="traceback_style", help="as pytest's; short and native as run")
    add("-r", default="", dest="show_reasons", metavar="CHARS", help="as pytest's: which outcomes get a line")
    add("--durations", type=int, default=None, metavar="N", help="as pytest's: the N slowest phases, 0 for all")
    add("--durations-min", type=float, default=None, metavar="SECONDS", help="as pytest's: none below; default 0.005")
    add("--show-capture", choices=CAPTURES, default="all", help="as pytest's: which captured output is shown")
    add("--no-summary", action="store_false", dest="show_summary", help="as pytest's: matrix and verdict alone")


def add_loudness(add_to: argparse._ActionsContainer) -> None:
    """Quiet, verbose, colours."""
    add = add_to.add_argument
    add("-q", "--quiet", action="count", default=0, help="less: -q failures and verdict, -qq only the verdict")
    add("-v", "--verbose", action="count", default=0, help="more: a line for each case, what happens to workers")
    add(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="default: auto, when on a terminal or in CI",
    )
