"""What pytest's arguments say of the report, and what of it still reaches pytest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crossfleet.api.types.v1 import result_pb2
from crossfleet.cli.commands import show
from crossfleet.cli.exits import UsageError
from crossfleet.cli.reporting.style import ReportStyle
from crossfleet.cli.running import options as command_line
from crossfleet.cli.running.command import recognise
from crossfleet.cli.running.outputs import Outputs
from crossfleet.cli.running.pytest_arguments import take_over
from crossfleet.cli.running.report_files import ReportFiles
from crossfleet.cli.running.style import colour_of_run, style_of, style_of_run


@pytest.fixture(autouse=True)
def no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of a project would speak too."""
    monkeypatch.chdir(tmp_path)


def style(words: str) -> ReportStyle:
    """Of a whole command line."""
    options = command_line.parse(words.split())
    return style_of_run(options, recognise(options.command))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("-- pytest", {"verbosity": 0, "show_reasons": "fE", "traceback_style": "auto", "durations": None}),
        ("-- pytest -v", {"verbosity": 1}),
        ("-- pytest -vv -q", {"verbosity": 1}),
        ("-- pytest -xvs", {"verbosity": 1}),
        ("-- pytest --verbosity=2", {"verbosity": 2}),
        ("-- pytest -q", {"verbosity": -1}),
        ("-- pytest -qq", {"verbosity": -1}),
        ("-qq -- pytest -v", {"verbosity": -2}),
        ("-v -- pytest", {"verbosity": 1}),
        ("-- pytest -k -v", {"verbosity": 0}),
        ("-- pytest -ra", {"show_reasons": "sxXEf"}),
        ("-- pytest -r A", {"show_reasons": "PpsxXEf"}),
        ("-- pytest -rN", {"show_reasons": ""}),
        ("-- pytest --tb=line", {"traceback_style": "line"}),
        ("-- pytest --tb short", {"traceback_style": "short"}),
        ("-- pytest --durations 5 --durations-min=0.1", {"durations": 5, "durations_min": 0.1}),
        ("-- pytest --show-capture=no --no-summary", {"show_capture": "no", "show_summary": False}),
        ("-- make check", {"verbosity": 0, "show_reasons": "fE"}),
    ],
)
def test_the_report_looks_as_pytests_arguments_ask_for(words: str, said: dict[str, Any]) -> None:
    found = style(words)
    assert {name: getattr(found, name) for name in said} == said


@pytest.mark.parametrize(
    "words", [["--tb=short", "-v"], ["-r", "A", "-q"], ["--durations=3"], ["-v", "-s", "--color=yes"]]
)
def test_pytest_gets_what_concerns_it_too(words: list[str]) -> None:
    assert take_over(words).arguments == tuple(words)


@pytest.mark.parametrize("words", [["--tb=line"], ["--tb", "no"]])
def test_tracebacks_are_made_in_full_where_only_the_terminal_wants_less(words: list[str]) -> None:
    assert take_over([*words, "tests"]).arguments == ("tests",)


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("--tb=loud", "auto, long"),
        ("--durations=x", "a whole number"),
        ("--durations-min=x", "seconds"),
        ("--color=on", "yes"),
    ],
)
def test_a_wrong_value_is_named_before_anything_runs(word: str, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        take_over([word])


def test_pytests_colour_counts_where_the_command_has_none() -> None:
    words = ["--", "pytest", "--color=no"]
    options = command_line.parse(words)
    assert colour_of_run(options, recognise(options.command)) == "no"
    options = command_line.parse(["--color", "always", *words])
    assert colour_of_run(options, recognise(options.command)) == "always"


def test_a_run_that_is_over_is_shown_in_the_same_styles() -> None:
    words = ["run-1", "--tb", "no", "-rA", "-v", "--durations", "0", "--show-capture", "log"]
    assert style_of(show.parser().parse_args(words)) == style(
        "-v -- pytest --tb=no -rA --durations=0 --show-capture=log"
    )


def test_full_results_are_asked_for_only_where_they_are_shown() -> None:
    passed, skipped = result_pb2.OUTCOME_PASSED, result_pb2.OUTCOME_SKIPPED
    assert passed not in Outputs().details_of
    assert passed in Outputs(style=ReportStyle(show_reasons="PpsxXEf")).details_of
    assert skipped in Outputs(style=ReportStyle(show_reasons="s")).details_of
    assert passed in Outputs(style=ReportStyle(durations=3)).details_of
    assert passed in Outputs(files=ReportFiles(html="out.html")).details_of
