"""Azure Pipelines: logging commands, https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands."""

from __future__ import annotations

import os

from crossfleet.cli.reporting.ci.service import Problem, Service, one_line


class Azure(Service):
    """Groups and logged issues."""

    name = "azure"
    shows_colours = True
    most_annotations = 10

    def opened(self, title: str) -> str:
        """A group."""
        return f"##[group]{one_line(title)}"

    def closed(self) -> str:
        """Its end."""
        return "##[endgroup]"

    def shielded(self, text: str) -> str:
        """Commands in the text are spelt otherwise."""
        return text.replace("##vso[", "# #vso[").replace("##[", "# #[")

    def annotation(self, problem: Problem) -> str:
        """An error at file and line."""
        place = f"sourcepath={_property(problem.file)};" + (f"linenumber={problem.line};" if problem.line else "")
        text = f"{problem.title}: {problem.message}"
        return f"##vso[task.logissue type=error;{place}]{_data(text)}"

    def notice(self, text: str) -> str:
        """A warning: there is no lesser kind."""
        return f"##vso[task.logissue type=warning;]{_data(text)}"

    def attached_summary(self, path: str) -> str:
        """A tab of the run, from an absolute path."""
        return f"##vso[task.uploadsummary]{_data(os.path.abspath(path))}"


def _data(text: str) -> str:
    return text.replace("%", "%AZP25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace("]", "%5D").replace(";", "%3B")
