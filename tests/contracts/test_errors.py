"""The page of errors against the code: a reason is either raised somewhere or marked as reserved."""

from __future__ import annotations

import re
from pathlib import Path

from crossfleet.foundation.errors import ERRORS_BY_REASON
from crossfleet.foundation.errors.registry import RESERVED

ROOT = Path(__file__).parents[2]
SOURCES = [*ROOT.glob("services/*/src/**/*.py"), *ROOT.glob("clients/python/src/**/*.py")]


def test_the_reasons_that_nothing_raises_are_those_marked_as_reserved() -> None:
    words: set[str] = set()
    for file in SOURCES:
        declared = "foundation/errors" in file.as_posix() and file.name != "status.py"
        if not declared:
            words.update(re.findall(r"\w+", file.read_text()))
    # A class is raised by its name, or a rejection of the core by its reason in quotes.
    quoted = {
        reason
        for file in SOURCES
        if "foundation" not in file.parts
        for reason in re.findall(r'"([A-Z][A-Z_]+)"', file.read_text())
    }
    silent = {reason for reason, kind in ERRORS_BY_REASON.items() if kind.__name__ not in words} - quoted

    assert silent == RESERVED
