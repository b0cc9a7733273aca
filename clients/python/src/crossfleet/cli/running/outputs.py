"""Where the results of a run go: the terminal or a CI service's log, and files."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from crossfleet.api.types.v1 import result_pb2
from crossfleet.cli.reporting.annotations import annotate_failures
from crossfleet.cli.reporting.ci.folds import folded
from crossfleet.cli.reporting.ci.recognition import service_of
from crossfleet.cli.reporting.ci.service import Service
from crossfleet.cli.reporting.paint import Paint, painter
from crossfleet.cli.reporting.style import ReportStyle
from crossfleet.cli.reporting.suites import suite_on
from crossfleet.cli.reporting.text import report
from crossfleet.cli.running.command import Command
from crossfleet.cli.running.cuts import shard_lines
from crossfleet.cli.running.options import RunOptions
from crossfleet.cli.running.progress import BAD
from crossfleet.cli.running.report_files import ReportFiles, check_writable
from crossfleet.cli.running.results import RunResults
from crossfleet.cli.running.sharding import Sharding
from crossfleet.cli.running.style import colour_of_run, style_of, style_of_run
from crossfleet.cli.unheard import write_line

MOST_ARTIFACTS = 10
_OUTPUT_OF = {
    "s": result_pb2.OUTCOME_SKIPPED,
    "P": result_pb2.OUTCOME_PASSED,
    "X": result_pb2.OUTCOME_XPASSED,
}


@dataclass(frozen=True, slots=True)
class Outputs:
    """What is reported, and how. The text goes to standard error where JSON goes to standard output."""

    files: ReportFiles = field(default_factory=ReportFiles)
    style: ReportStyle = field(default_factory=ReportStyle)
    service: Service = field(default_factory=Service)
    color: str = "auto"
    data: str = ""
    sharding: Sharding = field(default_factory=Sharding)
    kept: bool = True
    """A fleet keeps the run, and answers more of it."""

    @staticmethod
    def of_run(options: RunOptions, command: Command, sharding: Sharding) -> Outputs:
        """Of `crossfleet run`; pytest's own --junitxml counts where --junit is not given. Raises UsageError."""
        service = service_of(options.ci, os.environ)
        junit = options.junit or (command.pytest.junit if command.pytest else "")
        step_summary = service.summary_file(os.environ)
        files = ReportFiles(junit, options.json, options.html, options.summary, step_summary)
        files.check()
        check_writable("--durations", options.durations if options.update_durations else "")
        style, color = style_of_run(options, command), colour_of_run(options, command)
        return Outputs(files, style, service, color, options.data, sharding)

    @staticmethod
    def of(options: argparse.Namespace) -> Outputs:
        """Of a command that shows a run which may be over: nothing is added to a CI step's summary."""
        files = ReportFiles(options.junit, options.json, options.html, options.summary)
        files.check()
        return Outputs(files, style_of(options), service_of(options.ci, os.environ), options.color, options.data)

    @property
    def paint(self) -> Paint:
        """Colours, as far as the stream of the text shows them."""
        stream = sys.stderr if self.files.json == "-" else sys.stdout
        return painter(self.color, stream, in_ci=self.service.shows_colours)

    @property
    def details_of(self) -> frozenset[result_pb2.Outcome.ValueType]:
        """The outcomes whose full results are needed: for all cases in the HTML report and for --durations."""
        if self.files.html or self.style.durations is not None:
            return frozenset(result_pb2.Outcome.values())
        asked = {outcome for letter, outcome in _OUTPUT_OF.items() if letter in self.style.show_reasons}
        return BAD | asked

    def write(self, results: RunResults) -> None:
        """Writes all of them, the text last. Raises OSError where a file cannot be written, after the text."""
        try:
            self.files.write(results)
            self.sharding.learn(results)
        finally:
            self._write_text(results)

    def _write_text(self, results: RunResults) -> None:
        stream = sys.stderr if self.files.json == "-" else sys.stdout
        write_line("\n".join(self._lines(results)), stream)

    def _lines(self, results: RunResults) -> Iterator[str]:
        *parts, verdict = report(results, self.paint, self.style)
        yield from folded(parts, self.service)
        yield from annotate_failures(results, self.service)
        if self.files.summary and (attached := self.service.attached_summary(self.files.summary)):
            yield attached
        if self.style.verbosity >= 0:
            yield from self._places(results)
        yield self.service.shielded(verdict.text)

    def _places(self, results: RunResults) -> Iterator[str]:
        """Where everything lies, between two empty lines."""
        places = [*self.files.places()]
        places += [f"  durations  {self.sharding.update}"] if self.sharding.update else []
        places += [f"  shard      {line}" for line in shard_lines(results.run)]
        places += _waiting(results)
        places += self._commands(results) if self.kept else []
        if places:
            yield from ("", *places)
        yield ""

    def _commands(self, results: RunResults) -> Iterator[str]:
        """What the fleet that keeps the run can be asked."""
        # A command that is copied from here must find the same fleet.
        data = f" --data {shlex.quote(self.data)}" if self.data else ""
        run_id = results.run.run_id + data
        yield f"  logs       crossfleet logs {run_id}"
        if results.artifacts:
            yield f"  artifacts  crossfleet artifacts get {run_id} --into DIR   ({_count(len(results.artifacts))})"
            yield from (f"             {each.name} [{each.target}]" for each in results.artifacts[:MOST_ARTIFACTS])
        yield f"  again      crossfleet show {run_id}"
        bad = results.failures()
        if bad and suite_on(results.run, bad[0].target).runner == "pytest":
            yield f"  reproduce  crossfleet reproduce {shlex.quote(bad[0].case_id)} --run {run_id}"
        if results.flaky():
            yield f"  flaky      crossfleet cases --flaky{data}"


def _waiting(results: RunResults) -> list[str]:
    """Which artifacts are missing, and where they are."""
    waiting = results.waiting
    if not waiting:
        return []
    names = [f"             {each.name} [{each.target}], on {each.worker_id}" for each in waiting[:MOST_ARTIFACTS]]
    return [
        f"  missing    {_count(len(waiting))} that could not be stored yet: workers keep them, and send them",
        *names,
    ]


def _count(files: int) -> str:
    return f"{files} file{'s' * (files != 1)}" + (
        f", the first {MOST_ARTIFACTS} of them" if files > MOST_ARTIFACTS else ""
    )
