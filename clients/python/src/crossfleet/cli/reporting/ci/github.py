"""GitHub Actions: workflow commands, https://docs.github.com/actions/reference/workflow-commands."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping

from crossfleet.cli.reporting.ci.service import Problem, Service, one_line

# At the beginning of a line, whatever blanks stand before it; the older form anywhere.
_COMMAND = re.compile(r"(?:^|[\r\n])\s*::|##\[")


class GitHub(Service):
    """Groups, error annotations (GitHub shows ten of a step), and a token that switches commands off for a while."""

    name = "github"
    shows_colours = True
    most_annotations = 10

    def opened(self, title: str) -> str:
        """A group."""
        return f"::group::{_data(one_line(title))}"

    def closed(self) -> str:
        """Its end."""
        return "::endgroup::"

    def shielded(self, text: str) -> str:
        """Commands in the text are not obeyed: they are switched off until a token that no test can know."""
        if not _COMMAND.search(text):
            return text
        token = secrets.token_hex(16)
        return f"::stop-commands::{token}\n{text}\n::{token}::"

    def annotation(self, problem: Problem) -> str:
        """An error at file and line."""
        place = f"file={_property(problem.file)}" + (f",line={problem.line}" if problem.line else "")
        return f"::error {place},title={_property(problem.title)}::{_data(problem.message)}"

    def notice(self, text: str) -> str:
        """A notice."""
        return f"::notice::{_data(text)}"

    def summary_file(self, environment: Mapping[str, str]) -> str:
        """The step's summary."""
        return environment.get("GITHUB_STEP_SUMMARY", "")


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
