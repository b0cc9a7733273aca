"""A line for each case as it ends (-v)."""

from __future__ import annotations

from collections.abc import Callable

from crossfleet.api.types.v1 import result_pb2
from crossfleet.cli.reporting.case_lines import verbose_line
from crossfleet.cli.reporting.paint import Paint
from crossfleet.cli.running.progress import BAD, Progress
from crossfleet.cli.running.view import View


class EachCaseView:
    """Another view, with a line for each case instead of one for each failure."""

    def __init__(self, inner: View, write: Callable[[str], None], paint: Paint) -> None:
        """`write` puts a line where it does not disturb the inner view."""
        self._inner = inner
        self._write = write
        self._paint = paint

    def update(self, progress: Progress) -> None:
        """As the inner view."""
        self._inner.update(progress)

    def finished(self, case: result_pb2.CaseRecord, mark: str) -> None:
        """Outcome, id, seconds and place of the case."""
        word, rest = verbose_line(case, mark)
        colour = "red" if case.outcome in BAD else "green" if case.outcome == result_pb2.OUTCOME_PASSED else "yellow"
        self._write(f"{self._paint(word, colour)} {rest}")

    def note(self, text: str) -> None:
        """As the inner view."""
        self._inner.note(text)

    def close(self) -> None:
        """As the inner view."""
        self._inner.close()
