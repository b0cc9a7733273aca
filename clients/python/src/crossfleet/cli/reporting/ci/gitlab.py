"""GitLab CI: collapsible sections, https://docs.gitlab.com/ci/jobs/job_logs. Failures go there in the JUnit report."""

from __future__ import annotations

import time
from collections.abc import Callable

from crossfleet.cli.reporting.ci.service import Service, one_line


class GitLab(Service):
    """Sections between markers with a time and a name that is unique in the log."""

    name = "gitlab"
    shows_colours = True

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._count = 0

    def opened(self, title: str) -> str:
        """A section that is closed until somebody opens it."""
        self._count += 1
        mark = f"section_start:{int(self._now())}:crossfleet_{self._count}[collapsed=true]"
        return f"\x1b[0K{mark}\r\x1b[0K{one_line(title)}"

    def closed(self) -> str:
        """Its end."""
        return f"\x1b[0Ksection_end:{int(self._now())}:crossfleet_{self._count}\r\x1b[0K"

    def shielded(self, text: str) -> str:
        """Markers of sections in the text are spelt otherwise."""
        return text.replace("section_start:", "section_start :").replace("section_end:", "section_end :")
