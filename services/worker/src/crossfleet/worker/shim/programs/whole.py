"""A command that is one case: nothing can be listed, its cases are added as its output is read."""

from __future__ import annotations

import shlex
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from crossfleet.worker.shim.programs.program import (
    Batch,
    Command,
    Ended,
    Event,
    LineReader,
    Listing,
    Output,
    Started,
)

_TAIL_LINES = 200


class WholeCommand:
    """Subclasses say how its output is read. The command's own verdict is its exit status."""

    fine_codes: Sequence[int] = (0,)
    reader: Callable[[str], LineReader]

    def __init__(self, argv: Sequence[str], folder: str) -> None:
        self._argv = list(argv)
        self._id = shlex.join(argv)

    def listing(self, results: str) -> Listing:
        """The command line is the one case."""
        return Listing([(self._id, "")])

    def listed(self, output: Output) -> Listing:
        """Not asked: the listing needs no process."""
        raise ValueError("a whole command is not listed by a process")

    def batch(self, ids: Sequence[str], results: str) -> Batch:
        """The command."""
        return Batch(Command(self._argv, merged=True), ids[:1], type(self).reader(ids[0]))


class WholeReader(LineReader):
    """Reads the output of a whole command; subclasses implement `case_line` and `case_end`."""

    def __init__(self, identity: str) -> None:
        super().__init__()
        self._id = identity
        self._began = False
        self._failed = 0
        self._faults: list[str] = []
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)

    def take(self, stream: str, text: str) -> list[Event]:
        """As of any reader; the command begins with its first word."""
        begun: list[Event] = [] if self._began else [Started(self._id)]
        self._began = True
        return begun + super().take(stream, text)

    def line(self, stream: str, line: str) -> Iterable[Event]:
        """Counts what failed."""
        self._tail.append(line)
        return self._counted(self.case_line(line) if stream == "stdout" else ())

    def finish(self, code: int) -> Iterable[Event]:
        """The last cases, then the command itself, unless a signal ended it."""
        yield from self._counted(self.case_end())
        if code >= 0:
            faults = [*self._faults]
            if self._failed:
                faults.append(f"{self._failed} case{'s' * (self._failed > 1)} failed")
            elif code:
                faults.append(f"the command exited with status {code}")
            text = "; ".join(faults)
            sections = [] if self._failed or not faults else [("Captured output (end)", "\n".join(self._tail))]
            yield Ended(self._id, "failed" if faults else "passed", None, text, text, sections)

    def case_line(self, line: str) -> Iterable[Event]:
        """What a line of the output says."""
        raise NotImplementedError

    def case_end(self) -> Iterable[Event]:
        """What the end of the output says."""
        return ()

    def _counted(self, events: Iterable[Event]) -> Iterable[Event]:
        for event in events:
            if isinstance(event, Ended) and event.outcome in ("failed", "error", "crashed"):
                self._failed += 1
            yield event
