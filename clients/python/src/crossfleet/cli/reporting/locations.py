"""Where a case failed: file and line, read from what pytest wrote about it. Pure."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from crossfleet.api.types.v1 import result_pb2
from crossfleet.cli.reporting.captured import decoded

# `tests/test_a.py:6: AssertionError`, of --tb=long, short and line, and of a skip; `File "...", line 6`, of native.
_PLACE = re.compile(r"^(?P<file>[^\s:<>\"|][^:\n<>\"|]*):(?P<line>[0-9]{1,9}):(?: |$)", re.MULTILINE)
_NATIVE = re.compile(r"^ *File \"(?P<file>[^\"\n<>]+)\", line (?P<line>[0-9]{1,9})", re.MULTILINE)
# Begins what a tear-down or a further subtest has to say.
_FURTHER_TITLE = re.compile(r"\n_{2,} .+ _{2,}\n")


@dataclass(frozen=True, slots=True)
class Location:
    """A file, relative to the suite's folder or absolute, and a line from 1; 0: not known."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


def location_of(case: result_pb2.CaseRecord, detail: result_pb2.CaseResult | None, root: str = "") -> Location:
    """Where to look: the last line of the traceback in the case's own file, else the last at all, else the file alone.

    Seen from the workspace, in which the suite's folder is `root`.
    """
    own = case.case_id.partition("::")[0]
    places = places_in(_first_text(detail))
    name = "/" + posixpath.basename(own)
    within = [place for place in places if f"/{place.file}".endswith(name)]
    found = (within or places or [Location(own)])[-1]
    if not found.line or f"/{found.file}".endswith(f"/{own}"):
        # The id counts from pytest's root, which may lie above the suite's folder.
        own_root = root if not own.startswith(f"{root}/") else ""
        return Location(posixpath.normpath(posixpath.join(own_root, own)), found.line)
    return Location(posixpath.normpath(posixpath.join(root, found.file)), found.line)


def last_location(case: result_pb2.CaseRecord, detail: result_pb2.CaseResult | None) -> Location:
    """Where the error was raised, as `--tb=line` shows it."""
    return (places_in(_first_text(detail)) or [Location(case.case_id.partition("::")[0])])[-1]


def _first_text(detail: result_pb2.CaseResult | None) -> str:
    return _FURTHER_TITLE.split(decoded(detail.details), maxsplit=1)[0] if detail is not None else ""


def places_in(text: str) -> list[Location]:
    """Every place that a traceback names, in its order."""
    found = [*_PLACE.finditer(text), *_NATIVE.finditer(text)]
    return [Location(each["file"], int(each["line"])) for each in sorted(found, key=lambda each: each.start())]
