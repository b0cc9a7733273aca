"""The files that a report is written to."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from crossfleet.cli.exits import UsageError
from crossfleet.cli.reporting.whole import write_whole
from crossfleet.cli.running.results import RunResults


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """Paths, empty where there is no such report; `json` may be `-` for standard output."""

    junit: str = ""
    json: str = ""
    html: str = ""
    summary: str = ""
    step_summary: str = ""
    """A file that the CI service shows, and to which the summary is added."""

    @property
    def shows_properties(self) -> bool:
        """Whether one of them has the properties of cases, such as pytest's `record_property` leaves."""
        return bool(self.junit or self.json)

    def check(self) -> None:
        """Raises UsageError, before anything ran, where a report could not be written after it."""
        check_writable("--junit", self.junit)
        check_writable("--json", "" if self.json == "-" else self.json)
        check_writable("--html", self.html)
        check_writable("--summary", self.summary)

    def write(self, results: RunResults) -> None:
        """Writes all of them, each in one step. Raises OSError."""
        if self.junit:
            from crossfleet.cli.reporting import junit

            junit.write(results, Path(self.junit))
        if self.json:
            from crossfleet.cli.reporting import documents

            documents.write_report(results, self.json)
        if self.html:
            from crossfleet.cli.reporting.html.page import page

            write_whole(Path(self.html), page(results))
        self._write_summaries(results)

    def _write_summaries(self, results: RunResults) -> None:
        if not self.summary and not self.step_summary:
            return
        from crossfleet.cli.reporting.markdown import LIMIT_BYTES, summary

        if self.summary:
            write_whole(Path(self.summary), summary(results))
        if self.step_summary:
            try:
                taken = Path(self.step_summary).stat().st_size if Path(self.step_summary).exists() else 0
                with open(self.step_summary, "a", encoding="utf-8") as file:
                    file.write(summary(results, LIMIT_BYTES - taken))
            except OSError as error:
                print(f"crossfleet: the step's summary was not written: {error}", file=sys.stderr)

    def places(self) -> list[str]:
        """A line for each file."""
        named = (("JUnit", self.junit), ("JSON", self.json), ("HTML", self.html), ("summary", self.summary))
        return [f"  {name:<9}  {path}" for name, path in named if path and path != "-"]


def check_writable(option: str, path: str) -> None:
    """Raises UsageError, before anything ran, where a file could not be written after it."""
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
