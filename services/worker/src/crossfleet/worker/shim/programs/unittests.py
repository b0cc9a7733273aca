"""`python -m unittest`: loaded by a script in the suite's own interpreter, which lists and runs as unittest would."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from crossfleet.worker.shim.programs.program import (
    Batch,
    Command,
    Ended,
    Event,
    LineReader,
    Listing,
    Output,
    Started,
    Trouble,
    Waiting,
    fitting,
)

_ENTRY = Path(__file__).resolve().parents[2] / "inside" / "unittest_program.py"
_USAGE = 2


class Unittest:
    """An interpreter, and the words after `-m unittest`."""

    fine_codes = (0,)

    def __init__(self, argv: Sequence[str], folder: str) -> None:
        self._python = argv[0]
        self._words = list(argv[1:])

    def listing(self, results: str) -> Command:
        """Everything that unittest would run."""
        return Command([self._python, str(_ENTRY), "list", results, "[]", *self._words])

    def listed(self, output: Output) -> Listing:
        """A line for each case, and for each module that cannot be loaded."""
        if output.code == _USAGE:
            return Listing(refused=output.stderr.strip())
        lines = [json.loads(line) for line in output.results.splitlines()]
        cases = [(line["case"], line["group"]) for line in lines if "case" in line]
        errors = [Trouble(line["error"], line["message"], line["details"]) for line in lines if "error" in line]
        if output.code:
            said = output.stderr.strip()
            errors.append(Trouble("python -m unittest", said.rpartition("\n")[2] or "it cannot be listed", output.said))
        return Listing(cases, errors)

    def batch(self, ids: Sequence[str], results: str) -> Batch:
        """These cases in one interpreter."""
        chosen = fitting(ids)
        words = [self._python, str(_ENTRY), "run", results, json.dumps(list(chosen)), *self._words]
        # Importing the suite costs more than most of its cases.
        return Batch(Command(words), chosen, _Results(), more=lambda following: (json.dumps(following), following))


class _Results(LineReader):
    """One JSON object a line."""

    def line(self, stream: str, line: str) -> Iterable[Event]:
        if stream != "results" or not line.strip():
            return ()
        said = json.loads(line)
        if "start" in said:
            return [Started(said["start"])]
        if "waiting" in said:
            return [Waiting()]
        sections = [(title, text) for title, text in said["sections"]]
        return [Ended(said["end"], said["outcome"], said["seconds"], said["message"], said["details"], sections)]
