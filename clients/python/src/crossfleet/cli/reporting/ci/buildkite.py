"""Buildkite: groups begin with `---` and end where the next begins, https://buildkite.com/docs/pipelines/managing-log-output."""

from __future__ import annotations

import re

from crossfleet.cli.reporting.ci.service import Service, one_line

_MARKS = re.compile(r"^(---|\+\+\+|~~~|\^\^\^) ", re.MULTILINE)


class Buildkite(Service):
    """Groups that are closed until somebody opens them, and an open one for what follows."""

    name = "buildkite"
    shows_colours = True
    next_fold_ends_last = True

    def opened(self, title: str) -> str:
        """A group."""
        return f"--- {one_line(title)}"

    def closed(self) -> str:
        """An open group for what follows."""
        return "+++ crossfleet"

    def shielded(self, text: str) -> str:
        """Lines that would begin a group, such as those of a diff, are moved in by a space."""
        return _MARKS.sub(r" \1 ", text)
