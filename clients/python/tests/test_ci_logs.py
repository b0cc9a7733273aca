"""Logs as CI services read them: recognised, folded, annotated, coloured, and never obeying what a test printed."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.python.tests.sample_run import case, finished
from crossfleet.cli.reporting.annotations import annotate_failures
from crossfleet.cli.reporting.ci.azure import Azure
from crossfleet.cli.reporting.ci.buildkite import Buildkite
from crossfleet.cli.reporting.ci.folds import folded
from crossfleet.cli.reporting.ci.github import GitHub
from crossfleet.cli.reporting.ci.gitlab import GitLab
from crossfleet.cli.reporting.ci.recognition import service_of
from crossfleet.cli.reporting.ci.service import Problem, Service
from crossfleet.cli.reporting.ci.teamcity import TeamCity
from crossfleet.cli.reporting.paint import plain, wants_colour
from crossfleet.cli.reporting.part import Part
from crossfleet.cli.reporting.style import SERVICES
from crossfleet.cli.reporting.text import report

FOLDING = (GitHub, GitLab, Azure, TeamCity, Buildkite)
anything = st.text() | st.text(alphabet="%:,;]['|\r\n#é𝄞\x00\x1b x")


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"GITHUB_ACTIONS": "true", "CI": "true"}, "github"),
        ({"GITLAB_CI": "true", "CI": "true"}, "gitlab"),
        ({"TF_BUILD": "True"}, "azure"),
        ({"TEAMCITY_VERSION": "2026.1"}, "teamcity"),
        ({"BUILDKITE": "true"}, "buildkite"),
        ({"JENKINS_URL": "https://ci.example/"}, "jenkins"),
        ({"CI": "true"}, "none"),
        ({"GITHUB_ACTIONS": ""}, "none"),
        ({}, "none"),
    ],
)
def test_a_service_is_recognised_by_its_own_variable(variables: dict[str, str], name: str) -> None:
    assert service_of("auto", variables).name == name


def test_a_service_can_be_named_and_all_that_can_be_named_exist() -> None:
    assert [service_of(name, {}).name for name in SERVICES] == list(SERVICES)
    assert service_of("none", {"GITHUB_ACTIONS": "true"}).name == "none"


def test_github_gets_ten_errors_at_their_lines_and_the_number_of_the_rest() -> None:
    cases = [
        case(f"t.py::test_{n}[a,b:c]", "failed", message="50%\nmore", details=b"t.py:7: ValueError") for n in range(12)
    ]
    first, *others, notice = annotate_failures(finished(*cases, root="sub"), GitHub())
    assert first == "::error file=sub/t.py,line=7,title=FAILED t.py%3A%3Atest_0[a%2Cb%3Ac]::50%25%0Amore"
    assert len(others) == 9
    assert notice.startswith("::notice::2 more failures")


def test_azure_and_teamcity_name_file_line_and_message() -> None:
    found = finished(case("t.py::test[x;y]", "failed", message="it's [1]", details=b"t.py:7: ValueError"))
    assert list(annotate_failures(found, Azure())) == [
        "##vso[task.logissue type=error;sourcepath=t.py;linenumber=7;]FAILED t.py::test[x;y]: it's [1]"
    ]
    (written,) = annotate_failures(found, TeamCity())
    assert written.splitlines() == [
        "##teamcity[testStarted name='t.py::test|[x;y|]']",
        "##teamcity[testFailed name='t.py::test|[x;y|]' message='FAILED it|'s |[1|]' details='t.py:7']",
        "##teamcity[testFinished name='t.py::test|[x;y|]']",
    ]


def test_a_log_without_a_service_has_no_annotations() -> None:
    found = finished(case("t.py::test", "failed", details=b"t.py:7: ValueError"))
    assert list(annotate_failures(found, Service())) == []
    assert list(annotate_failures(found, GitLab())) == []


@given(anything, anything, anything)
def test_no_text_breaks_out_of_an_annotation(file: str, name: str, message: str) -> None:
    problem = Problem(file, 3, "FAILED", name, message)
    for service, lines in ((GitHub(), 1), (Azure(), 1), (TeamCity(), 3)):
        written = service.annotation(problem)
        assert len(re.split(r"[\r\n]", written)) == lines, written
    github = GitHub().annotation(problem)
    properties = github.removeprefix("::error ").split("::")[0]
    assert properties.count(",") == 2  # file, line, title
    assert re.fullmatch(r"##vso\[task\.logissue [^\]]*\].*", Azure().annotation(problem), re.DOTALL)
    for line in TeamCity().annotation(problem).splitlines():
        assert re.fullmatch(r"##teamcity\[\w+( \w+='(\|.|[^|'\[\]])*')+\]", line), line


@given(st.lists(st.tuples(anything, st.booleans()), max_size=6))
def test_every_fold_that_is_opened_is_closed_and_only_those(texts: list[tuple[str, bool]]) -> None:
    parts = [Part("x", fold=f"title {text}" if folds else "") for text, folds in texts]
    for service, opening, closing in (
        (GitHub(), "::group::", "::endgroup::"),
        (Azure(), "##[group]", "##[endgroup]"),
        (GitLab(), "\x1b[0Ksection_start:", "\x1b[0Ksection_end:"),
        (TeamCity(), "##teamcity[blockOpened", "##teamcity[blockClosed"),
    ):
        depth = 0
        for line in folded(parts, service):
            depth += line.startswith(opening)
            depth -= line.startswith(closing)
            assert depth in (0, 1)
            assert "\n" not in line
        assert depth == 0


def test_buildkite_opens_the_log_again_after_its_folds() -> None:
    parts = [Part("one", fold="a"), Part("two", fold="b"), Part("open")]
    assert list(folded(parts, Buildkite())) == ["--- a", "one", "--- b", "two", "+++ crossfleet", "open"]


@pytest.mark.parametrize(
    ("service", "printed", "command"),
    [
        (Azure(), "##vso[task.setvariable variable=a]b\n##[endgroup]", r"^##"),
        (TeamCity(), "##teamcity[buildStatus status='SUCCESS']", r"##teamcity\["),
        (GitLab(), "\x1b[0Ksection_end:1:crossfleet_1\r\x1b[0K", r"section_(start|end):"),
        (Buildkite(), "--- a group\n+++ another\n^^^ +++", r"^(---|\+\+\+|\^\^\^) "),
    ],
)
def test_what_a_test_printed_is_no_command(service: Service, printed: str, command: str) -> None:
    assert re.search(command, printed, re.MULTILINE)
    assert not re.search(command, service.shielded(printed), re.MULTILINE)


def test_github_obeys_nothing_until_a_token_that_is_new_each_time() -> None:
    first, second = (GitHub().shielded("::error::mine").splitlines() for _ in range(2))
    token = first[0].removeprefix("::stop-commands::")
    assert first == [f"::stop-commands::{token}", "::error::mine", f"::{token}::"]
    assert first[0] != second[0]
    for command in ("fine\n  ::add-mask::x", "\r::set-output::", "said ##[add-path]x"):
        assert GitHub().shielded(command).startswith("::stop-commands::")
    assert GitHub().shielded("FAILED t.py::a - x ::error::") == "FAILED t.py::a - x ::error::"


def test_each_failure_folds_below_its_own_line() -> None:
    found = finished(case("t.py::a", "failed", message="no", details=b"E  no"), case("t.py::b", "passed"))
    folds = [part.fold for part in report(found, plain) if part.fold]
    assert folds == ["FAILED t.py::a - no"]


@pytest.mark.parametrize(
    ("choice", "variables", "in_ci", "coloured"),
    [
        ("auto", {}, False, False),
        ("auto", {}, True, True),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"PY_COLORS": "1", "NO_COLOR": "1"}, False, True),
        ("auto", {"PY_COLORS": "0", "FORCE_COLOR": "1"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("yes", {"PY_COLORS": "0"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
        ("no", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colours_follow_the_option_then_the_variables_then_the_log(
    choice: str, variables: dict[str, str], in_ci: bool, coloured: bool
) -> None:
    assert wants_colour(choice, io.StringIO(), variables, in_ci=in_ci) == coloured
