"""Where the results of a run go: the terminal, a JUnit file, a JSON file."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from crossfleet.cli.exits import UsageError
from crossfleet.cli.reporting.paint import Paint
from crossfleet.cli.reporting.text import report
from crossfleet.cli.running.command import Command
from crossfleet.cli.running.options import RunOptions
from crossfleet.cli.running.results import RunResults


@dataclass(frozen=True, slots=True)
class Outputs:
    """Paths of the reports; `json` may be `-` for standard output, where the text then goes to standard error."""

    junit: Path | None
    json: str
    data: str = ""

    @staticmethod
    def of(options: RunOptions, command: Command) -> Outputs:
        """From the command line; pytest's own --junitxml counts where --junit is not given. Raises UsageError."""
        junit = options.junit or (command.pytest.junit if command.pytest else "")
        for option, path in (("--junit", junit), ("--json", options.json if options.json != "-" else "")):
            _check(option, path)
        return Outputs(Path(junit) if junit else None, options.json, options.data)

    def write(self, results: RunResults, paint: Paint, quiet: int) -> None:
        """Writes all of them, the text last. Raises OSError where a file cannot be written, after the text."""
        try:
            self._write_files(results)
        finally:
            self._write_text(results, paint, quiet)

    def _write_files(self, results: RunResults) -> None:
        if self.junit:
            from crossfleet.cli.reporting import junit

            junit.write(results, self.junit)
        if self.json:
            from crossfleet.cli.reporting import documents

            text = documents.write(documents.run_document(results)) + "\n"
            if self.json == "-":
                sys.stdout.write(text)
            else:
                Path(self.json).write_text(text, encoding="utf-8")

    def _write_text(self, results: RunResults, paint: Paint, quiet: int) -> None:
        stream = sys.stderr if self.json == "-" else sys.stdout
        *parts, verdict = report(results, paint, quiet=quiet)
        for part in (*parts, *([] if quiet > 1 else self._places(results)), verdict):
            print(part, file=stream)
        stream.flush()

    def _places(self, results: RunResults) -> list[str]:
        """Where everything lies."""
        # A command that is copied from here must find the same fleet.
        named = self.data and not os.environ.get("CROSSFLEET_ADDRESS")
        data = f" --data {shlex.quote(self.data)}" if named else ""
        run_id = results.run.run_id + data
        lines = [f"  JUnit      {self.junit}"] if self.junit else []
        lines += [f"  JSON       {self.json}"] if self.json and self.json != "-" else []
        lines.append(f"  logs       crossfleet logs {run_id}")
        if results.artifacts:
            lines.append(f"  artifacts  crossfleet artifacts list {run_id}   ({len(results.artifacts)} files)")
        lines.append(f"  again      crossfleet show {run_id}")
        if results.flaky():
            lines.append(f"  flaky      crossfleet cases --flaky{data}")
        return ["", *lines, ""]


def _check(option: str, path: str) -> None:
    """Raises UsageError before the run, where its report could not be written after it."""
    if not path:
        return
    if Path(path).is_dir():
        raise UsageError(f"{option} {path}: is a folder, name a file")
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{option} {path}: its folder cannot be made: {error.strerror}") from None
    if not os.access(path if Path(path).exists() else Path(path).parent, os.W_OK):
        raise UsageError(f"{option} {path}: cannot be written")
