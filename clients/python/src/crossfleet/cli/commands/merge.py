"""`crossfleet merge`: the reports of shards become one."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from crossfleet.cli import exits
from crossfleet.cli.durations import file
from crossfleet.cli.durations.measured import measured, steadied
from crossfleet.cli.merging.coverage_data import combine
from crossfleet.cli.merging.fitting import Fitted, fit
from crossfleet.cli.merging.joining import join, missing_text
from crossfleet.cli.merging.parts import find_parts
from crossfleet.cli.parsing import Parser
from crossfleet.cli.reporting.ci.recognition import service_of
from crossfleet.cli.reporting.options import add_loudness, add_report_files
from crossfleet.cli.reporting.style import ReportStyle
from crossfleet.cli.running.conclusion import status_of
from crossfleet.cli.running.outputs import Outputs
from crossfleet.cli.running.report_files import ReportFiles, check_writable
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
    made = Parser(
        "merge",
        description="Joins the results of all shards of a suite: reports, durations, coverage.",
        epilog=EXAMPLES,
    )
    made.add_argument("parts", nargs="+", metavar="PART", help="a shard's JSON report, coverage data, or a folder")
    add_report_files(made)
    made.add_argument("--durations", default="", metavar="FILE", help="write the durations file for the next run")
    made.add_argument("--coverage", default="", metavar="FILE", help="combine the coverage data into this file")
    made.add_argument(
        "--python", default="", metavar="PATH", help="interpreter with coverage; default: pytest's own here"
    )
    made.add_argument("--allow-missing", action="store_true", help="a shard may be missing; its cases are not counted")
    add_loudness(made)
    return made


def main(arguments: list[str]) -> int:
    """Merges; answers the exit status of the whole."""
    options = parser().parse_args(arguments)
    files = ReportFiles(options.junit, options.json, options.html, options.summary)
    files.check()
    check_writable("--durations", options.durations)
    check_writable("--coverage", options.coverage)
    style = ReportStyle(verbosity=options.verbose - options.quiet)
    outputs = Outputs(files, style, service_of(options.ci, os.environ), options.color, kept=False)
    reports, coverage = find_parts(options.parts)
    fitted = fit(reports)
    results = join(fitted, allow_missing=options.allow_missing)
    if options.durations:
        _write_durations(Path(options.durations), results, fitted)
    if options.quiet < 2:
        for note in (*fitted.notes, *filter(None, [missing_text(fitted)])):
            print(note, file=sys.stderr if options.json == "-" else sys.stdout)
    outputs.write(results)
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
