"""The kind itself: how to list, how to execute, how to read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from crossfleet.worker.shim.programs.program import Batch, Command, Ended, Event, LineReader, Listing, Output, Started


class Scripts:
    """The executable files below a folder."""

    fine_codes = (0, 77)

    def __init__(self, argv: Sequence[str], folder: str) -> None:
        self._folder = Path(folder)
        self._root = argv[0]

    def listing(self, results: str) -> Listing:
        """A look at the folder is enough; a program that has to be asked would be a Command."""
        files = sorted(path for path in (self._folder / self._root).rglob("*") if path.is_file())
        if not files:
            return Listing(refused=f"there is no file below {self._root}")
        return Listing([(str(path.relative_to(self._folder)), "") for path in files if os.access(path, os.X_OK)])

    def listed(self, output: Output) -> Listing:
        """Never asked: `listing` has answered."""
        raise NotImplementedError

    def batch(self, ids: Sequence[str], results: str) -> Batch:
        """One file a process."""
        return Batch(Command([f"./{ids[0]}"], merged=True), ids[:1], Verdict(ids[0]))


class Verdict(LineReader):
    """Status 0 passes, 77 skips as in automake, anything else fails; a signal is the shim's to judge."""

    def __init__(self, identity: str) -> None:
        super().__init__()
        self._id = identity
        self._lines: list[str] = []

    def line(self, stream: str, line: str) -> Iterable[Event]:
        first: list[Event] = [] if self._lines else [Started(self._id)]
        self._lines.append(line)
        return first

    def finish(self, code: int) -> Iterable[Event]:
        if code >= 0:
            outcome = {0: "passed", 77: "skipped"}.get(code, "failed")
            message = f"status {code}" if outcome == "failed" else ""
            yield Ended(self._id, outcome, None, message, message, [("Captured output", "\n".join(self._lines))])
