"""What people type by mistake: each is told in a line, with what was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossfleet.cli.amounts import seconds
from crossfleet.cli.exits import UsageError
from crossfleet.cli.main import main
from crossfleet.cli.running.alternatives import alternatives_of


def told(words: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a wrong command line is answered, which has status 2 however it is found out."""
    try:
        status = main(words.split())
    except SystemExit as ended:
        status = int(str(ended.code))
    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    return err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("rum", "crossfleet: there is no command 'rum'. Did you mean run?"),
        ("help rum", "crossfleet: there is no command 'rum'. Did you mean run?"),
        ("devices lst", "crossfleet devices: there is no command 'lst'. Did you mean list? There are list, override"),
        ("runs --sate running", "crossfleet runs: there is no option --sate. Did you mean --state?"),
        ("run --targt a= -- pytest", "crossfleet run: there is no option --targt. Did you mean --target?"),
        ("admin quota --slts=3", "crossfleet admin quota: there is no option --slts. Did you mean --slots?"),
        ("cases --bananas", "crossfleet cases: there is no option --bananas. `crossfleet cases --help` tells more."),
        ("show run-1 run-2", "crossfleet show: run-2: nothing more is expected there."),
        ("show", "crossfleet show: missing: RUN (`crossfleet runs` lists them)."),
        ("drain", "crossfleet drain: missing: WORKER (`crossfleet workers` lists them)."),
        ("runs --limit 0", "crossfleet runs: argument --limit: '0' is no count: give a whole number from 1."),
        ("run --memory-limit 512 -- true", "crossfleet run: argument --memory-limit: '512' is in bytes, and less than"),
        ("completion zhs", "crossfleet completion: argument shell: invalid choice: 'zhs'"),
        ("schedule create n --cron @daily true", "crossfleet schedule: put `--` before what is to run: crossfleet"),
        (
            "schedule create n --cron @daily --wait -- true",
            "crossfleet schedule: --wait is an option of `crossfleet run`",
        ),
        ("schedule create n --cron @daily", "crossfleet schedule: name what to run after `--`: crossfleet schedule"),
        (
            "up --scheduler a=b:1,canary=5",
            "crossfleet up: --scheduler a=b:1,canary=5: options follow behind spaces: --",
        ),
        ("reserve --workers 2", "crossfleet reserve: name the project and how long: crossfleet reserve"),
        ("reserve --cancel r1 --project p", "crossfleet reserve: --cancel: ends a reservation that there is"),
    ],
)
def test_a_mistake_is_told_in_a_line(words: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    err = told(words, capsys)
    assert err.startswith(line)
    assert len(err.splitlines()) == 1


def test_a_time_in_two_words_is_not_taken_for_a_part_of_the_selector() -> None:
    with pytest.raises(UsageError, match="write the time in one word at the end, such as `for 2m`"):
        alternatives_of(["a=worker.slots > 1 for 2 minutes"], ["a"], seconds)


def test_a_word_that_is_none_of_those_to_choose_from_is_told_with_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "'sett' (choose from" in (line := told("admin quota sett", capsys))
    assert "). Did you mean set? `crossfleet admin quota --help` tells more." in line


def test_a_folder_that_was_removed_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert "the folder in which this shell is has been removed" in told("run --data here -- true", capsys)


def test_what_help_says_of_a_command_fits_into_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    with pytest.raises(SystemExit):
        main(["explain", "--help"])
    described, _, _ = capsys.readouterr().out.partition("positional arguments")
    assert max(map(len, described.splitlines())) <= 60


@pytest.mark.parametrize("words", ["help admin quota", "admin quota --help"])
def test_help_is_given_before_and_behind_a_command(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    assert ended.value.code == 0
    assert "crossfleet admin quota set ml --slots 40" in capsys.readouterr().out
