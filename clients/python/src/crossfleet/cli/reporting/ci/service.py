"""What a CI service can do with a log; this one, which stands for none, can do nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """A failure to point at. The file is relative to the checkout; line 0: not known."""

    file: str
    line: int
    word: str
    """`FAILED`, for instance."""
    name: str
    message: str

    @property
    def title(self) -> str:
        """Outcome and name, in one line."""
        return one_line(f"{self.word} {self.name}")


class Service:
    """A log without folds or annotations. Every answer is whole lines without the last line's end; empty: nothing."""

    name = "none"
    shows_colours = False
    next_fold_ends_last = False
    most_annotations = 0
    """How many annotations it shows of one step; the rest would be lost without a word."""

    def opened(self, title: str) -> str:
        """What begins a fold."""
        return ""

    def closed(self) -> str:
        """What ends the last fold."""
        return ""

    def shielded(self, text: str) -> str:
        """Text that tests may have written, so that the service takes none of it for a command."""
        return text

    def annotation(self, problem: Problem) -> str:
        """What shows a failure at its line."""
        return ""

    def notice(self, text: str) -> str:
        """What shows a remark beside the annotations."""
        return ""

    def summary_file(self, environment: Mapping[str, str]) -> str:
        """A file whose Markdown the service shows beside the job; empty: there is none."""
        return ""

    def attached_summary(self, path: str) -> str:
        """What makes the service show a Markdown file that was written."""
        return ""


def one_line(text: str) -> str:
    """A title: a line of its own, whatever the text."""
    return " ".join(text.split())
