"""Which CI service this process runs under, by the variables that each documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from crossfleet.cli.reporting.ci.azure import Azure
from crossfleet.cli.reporting.ci.buildkite import Buildkite
from crossfleet.cli.reporting.ci.github import GitHub
from crossfleet.cli.reporting.ci.gitlab import GitLab
from crossfleet.cli.reporting.ci.service import Service
from crossfleet.cli.reporting.ci.teamcity import TeamCity


class Jenkins(Service):
    """A plain log: folds and colours are plugins' there, and failures are read from the JUnit report."""

    name = "jenkins"


# Each with the variable that says so, and its value; empty: any.
_SERVICES: tuple[tuple[str, str, Callable[[], Service]], ...] = (
    ("GITHUB_ACTIONS", "true", GitHub),
    ("GITLAB_CI", "true", GitLab),
    ("TF_BUILD", "true", Azure),
    ("TEAMCITY_VERSION", "", TeamCity),
    ("BUILDKITE", "true", Buildkite),
    ("JENKINS_URL", "", Jenkins),
)


def service_of(choice: str, environment: Mapping[str, str]) -> Service:
    """The service that --ci names; with `auto` the one whose variable is set, or none."""
    for variable, value, made in _SERVICES:
        if choice == "auto":
            found = environment.get(variable, "")
            if found and (not value or found.lower() == value):
                return made()
        elif made().name == choice:
            return made()
    return Service()
