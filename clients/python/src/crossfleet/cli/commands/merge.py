"""`crossfleet merge`: the reports of shards become one."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from crossfleet.cli import exits
from crossfleet.cli.durations import file
from crossfleet.cli.durations.measured import measured, steadied
from crossfleet.cli.merging.coverage_data import combine
from crossfleet.cli.merging.fitting import Fitted, fit
from crossfleet.cli.merging.joining import join, missing_text
from crossfleet.cli.merging.parts import find_parts
from crossfleet.cli.reporting.paint import painter
from crossfleet.cli.reporting.text import report
from crossfleet.cli.running.conclusion import status_of
from crossfleet.cli.running.outputs import check_writable
from crossfleet.cli.running.results import RunResults

EXAMPLES = """
examples:
  crossfleet merge shard-*.json                              one matrix, verdict and exit status
  crossfleet merge --junit all.xml --durations durations.json parts/
  crossfleet merge --coverage .coverage --python .venv/bin/python parts/*/

A part is a report that `crossfleet run --shard INDEX/COUNT --json FILE` wrote, coverage data, or a folder of both.
Exit status: that of the whole run; 2 where parts do not belong together, 3 where one is missing.
"""


def parser() -> argparse.ArgumentParser:
    """The parser of `merge`."""
    made = argparse.ArgumentParser(
        prog="crossfleet merge",
        description="Joins the results of all shards of a suite: reports, durations, coverage.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("parts", nargs="+", metavar="PART", help="a shard's JSON report, coverage data, or a folder")
    made.add_argument("--junit", default="", metavar="FILE", help="write a JUnit XML report")
    made.add_argument("--json", default="", metavar="FILE", help="write a JSON report (`-` for standard output)")
    made.add_argument("--durations", default="", metavar="FILE", help="write the durations file for the next run")
    made.add_argument("--coverage", default="", metavar="FILE", help="combine the coverage data into this file")
    made.add_argument(
        "--python", default="", metavar="PATH", help="interpreter with coverage; default: pytest's own here"
    )
    made.add_argument("--allow-missing", action="store_true", help="a shard may be missing; its cases are not counted")
    made.add_argument(
        "-q", "--quiet", action="count", default=0, help="less: -q no captured output, -qq only the verdict"
    )
    made.add_argument("--color", choices=("auto", "always", "never"), default="auto")
    return made


def main(arguments: list[str]) -> int:
    """Merges; answers the exit status of the whole."""
    options = parser().parse_args(arguments)
    for option, path in (
        ("--junit", options.junit),
        ("--json", options.json if options.json != "-" else ""),
        ("--durations", options.durations),
        ("--coverage", options.coverage),
    ):
        check_writable(option, path)
    reports, coverage = find_parts(options.parts)
    fitted = fit(reports)
    results = join(fitted, allow_missing=options.allow_missing)
    _write_reports(options, results)
    if options.durations:
        _write_durations(Path(options.durations), results, fitted)
    stream = sys.stderr if options.json == "-" else sys.stdout
    notes = [*fitted.notes, *filter(None, [missing_text(fitted)])] if options.quiet < 2 else []
    for part in (*notes, *report(results, painter(options.color), quiet=options.quiet)):
        print(part, file=stream)
    if options.coverage:
        roots = (part.run.spec.workspace.local_path for part in fitted.parts)
        combine(coverage, Path(options.coverage), roots, options.python)
    if fitted.missing and not options.allow_missing:
        return exits.FLEET
    return status_of(results.run, interrupted=False)


def _write_durations(path: Path, results: RunResults, fitted: Fitted) -> None:
    """Of a whole suite exactly its cases; where a shard is missing the file keeps what it says of others."""
    before = file.read_or_none(path, "--durations")
    after = steadied(before, measured(results.cases))
    file.write(path, {**before, **after} if fitted.missing else after)


def _write_reports(options: argparse.Namespace, results: RunResults) -> None:
    if options.junit:
        from crossfleet.cli.reporting import junit

        junit.write(results, Path(options.junit))
    if options.json:
        from crossfleet.cli.reporting import documents

        documents.write_report(results, options.json)
