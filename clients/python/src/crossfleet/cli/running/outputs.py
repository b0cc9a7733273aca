"""Where the results of a run go: the terminal, a JUnit file, a JSON file."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

from crossfleet.cli.exits import UsageError
from crossfleet.cli.reporting.paint import Paint
from crossfleet.cli.reporting.text import report
from crossfleet.cli.running.command import Command
from crossfleet.cli.running.cuts import shard_lines
from crossfleet.cli.running.options import RunOptions
from crossfleet.cli.running.results import RunResults
from crossfleet.cli.running.sharding import Sharding


@dataclass(frozen=True, slots=True)
class Outputs:
    """Paths of the reports; `json` may be `-` for standard output, where the text then goes to standard error."""

    junit: Path | None
    json: str
    data: str = ""
    sharding: Sharding = field(default_factory=Sharding)

    @staticmethod
    def of(options: RunOptions, command: Command, sharding: Sharding) -> Outputs:
        """From the command line; pytest's own --junitxml counts where --junit is not given. Raises UsageError."""
        junit = options.junit or (command.pytest.junit if command.pytest else "")
        json = options.json if options.json != "-" else ""
        update = options.durations if options.update_durations else ""
        for option, path in (("--junit", junit), ("--json", json), ("--durations", update)):
            check_writable(option, path)
        return Outputs(Path(junit) if junit else None, options.json, options.data, sharding)

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

            documents.write_report(results, self.json)
        self.sharding.learn(results)

    def _write_text(self, results: RunResults, paint: Paint, quiet: int) -> None:
        stream = sys.stderr if self.json == "-" else sys.stdout
        *parts, verdict = report(results, paint, quiet=quiet)
        for part in (*parts, *([] if quiet > 1 else self._places(results)), verdict):
            print(part, file=stream)
        stream.flush()

    def _places(self, results: RunResults) -> list[str]:
        """Where everything lies."""
        run_id = results.run.run_id
        # A command that is copied from here must find the same fleet.
        if self.data and not os.environ.get("CROSSFLEET_ADDRESS"):
            run_id += f" --data {shlex.quote(self.data)}"
        lines = [f"  JUnit      {self.junit}"] if self.junit else []
        lines += [f"  JSON       {self.json}"] if self.json and self.json != "-" else []
        lines += [f"  durations  {self.sharding.update}"] if self.sharding.update else []
        lines += [f"  shard      {line}" for line in shard_lines(results.run)]
        lines.append(f"  logs       crossfleet logs {run_id}")
        if results.artifacts:
            lines.append(f"  artifacts  crossfleet artifacts list {run_id}   ({len(results.artifacts)} files)")
        lines.append(f"  again      crossfleet show {run_id}")
        return ["", *lines, ""]


def check_writable(option: str, path: str) -> None:
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
