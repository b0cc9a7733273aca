"""Whether two failures are the same one. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_CHANGING = re.compile(r"0x[0-9a-fA-F]+|\d+(?:\.\d+)?")
_PLACE = re.compile(r"(?P<file>[^\s:][^:\n]*):(?P<line>\d+): (?P<kind>[A-Za-z_][\w.]*)\s*")
_IN_SETUP = frozenset(("setup", "teardown"))


@dataclass(frozen=True, slots=True)
class Recorded:
    """How a case ended in its run: an outcome by name, one line, the long text, and the signal that killed it."""

    outcome: str
    message: str
    details: str = ""
    signal: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """A phase that failed in a replay: `setup`, `call` or `teardown`, the exception's line and the long text."""

    when: str
    message: str
    details: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """What a replay showed of the case: passed, failed, crashed, timed_out, or not_run where it was not reached."""

    outcome: str
    reports: Sequence[Report] = ()
    signal: int = 0
    message: str = ""


def same(recorded: Recorded, observed: Observed) -> bool:
    """Whether a replay shows the recorded failure.

    A crash is the same by its signal, or where there is none by how the process ended. A failure is the same by its
    phase and, numbers and addresses aside, its exception's line; or by phase and the place and kind of the exception.
    """
    if recorded.outcome == "timed_out":
        return observed.outcome == "timed_out"
    if recorded.outcome == "crashed":
        if observed.outcome != "crashed" or recorded.signal != observed.signal:
            return False
        return bool(recorded.signal) or recorded.message == observed.message
    return observed.outcome == "failed" and any(_alike(recorded, report) for report in observed.reports)


def _alike(recorded: Recorded, report: Report) -> bool:
    if (recorded.outcome == "error") != (report.when in _IN_SETUP):
        return False
    wanted, shown = _masked(recorded.message), _masked(report.message)
    # A subtest's line begins with its description.
    if wanted == shown or (shown and wanted.endswith(f" {shown}")):
        return True
    place = _place(recorded.details)
    return place is not None and place == _place(report.details)


def _masked(line: str) -> str:
    return _CHANGING.sub("0", line.strip())


def _place(details: str) -> tuple[str, ...] | None:
    """File, line and kind of exception, as pytest's long texts end with them."""
    for line in reversed(details.splitlines()):
        if found := _PLACE.fullmatch(line):
            return found.groups()
    return None


def told(observed: Observed) -> str:
    """What a replay showed, in a few words."""
    if observed.outcome == "failed" and observed.reports:
        report = observed.reports[0]
        where = f" in {report.when}" if report.when in _IN_SETUP else ""
        return f"failed{where}: {report.message}"
    return observed.message or observed.outcome.replace("_", " ")
