"""What the words of a command line mean."""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

import pytest

from crossfleet.cli.amounts import seconds, size
from crossfleet.cli.exits import UsageError
from crossfleet.cli.main import main
from crossfleet.cli.running.options import parse
from crossfleet.cli.running.spec import variables_of


def test_nothing_after_the_dashes_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--title", "x"]) == 2
    assert "crossfleet run -- pytest tests" in capsys.readouterr().err


def test_a_command_that_is_not_there_is_answered_with_a_near_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["wrokers"]) == 2
    assert "Did you mean workers?" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "value"), [("90", 90.0), ("1.5m", 90.0), ("2h", 7200.0), ("7d", 604800.0)])
def test_times_have_units(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize(("text", "value"), [("1000", 1000), ("512MB", 512_000_000), ("2GiB", 2**31), ("1.5kb", 1500)])
def test_sizes_have_units(text: str, value: int) -> None:
    assert size(text) == value


@pytest.mark.parametrize("text", ["", "x", "-1s", "5y", "nan", "inf"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no time"):
        seconds(text)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pytest", "tests"], "put `--` before what is to run: crossfleet run [options] -- pytest tests"),
        (["pytest", "-k", "a b"], "-- pytest -k 'a b'"),
        (["--targt", "a=", "--", "pytest"], "there is no option --targt. Did you mean --target?"),
        (["tests", "--", "pytest"], "tests: not an option of `crossfleet run`; what is to run goes after `--`"),
        (["--lf", "--", "pytest"], "--lf is an option of pytest: write it behind, crossfleet run -- pytest --lf"),
        (["-k", "a b", "--", "pytest"], "crossfleet run -- pytest -k 'a b'"),
    ],
)
def test_a_slip_before_the_dashes_is_answered_with_what_was_meant(words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        parse(words)


def test_cases_that_a_cache_selects_are_not_sharded(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--shard", "1/3", "--", sys.executable, "-m", "pytest", "--lf"]) == 2
    assert "--lf: selects by this machine's cache" in capsys.readouterr().err


def test_a_number_that_is_too_large_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--maxfail", "99999999999", "--", "pytest"]) == 2
    assert capsys.readouterr().err == "crossfleet run: --maxfail 99999999999 is out of range\n"


def test_a_priority_that_cannot_be_is_refused_as_it_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["run", "--priority", "1001", "--", "pytest"])
    assert "give a whole number from -1000 to 1000, or a class" in capsys.readouterr().err


def test_a_tool_in_place_of_a_command_is_led_to_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pytest", "-x"]) == 2
    assert "Did you mean `crossfleet run -- pytest ...`?" in capsys.readouterr().err


def test_a_command_that_is_not_there_is_told_before_a_fleet_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CROSSFLEET_ADDRESS", raising=False)
    assert main(["run", "--data", str(tmp_path / "data"), "--", "pytst"]) == 2
    assert "there is no command pytst here. Did you mean pytest?" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_a_quiet_grpc_is_not_handed_to_suites(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRPC_VERBOSITY", "x")
    monkeypatch.delenv("GRPC_VERBOSITY")
    assert main(["version"]) == 0
    assert os.environ["GRPC_VERBOSITY"] == "ERROR"
    assert "GRPC_VERBOSITY" not in variables_of([], whole_environment=True)


def test_a_reset_of_an_election_needs_a_database_and_asks_first(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CROSSFLEET_COORDINATOR_DATABASE", raising=False)

    assert main(["admin", "election", "reset"]) == 2
    assert "--database URL" in capfd.readouterr().err
    assert main(["admin", "election", "reset", "--database", "mysql://u:hidden@h/x", "--yes"]) == 2
    said = capfd.readouterr().err
    assert "postgresql+psycopg://USER@HOST/DATABASE" in said
    assert "hidden" not in said
