"""`crossfleet run` with a fleet of its own: the real services."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from clients.python.tests.waiting import processes_with, until

SUITE = """
import os, pathlib, time
def test_passes(): assert os.environ["OF_THE_SHELL"] == "yes"
def test_fails(): print("shown"); assert 1 == 2
"""
SLOW = """
import pathlib, time
def test_waits():
    pathlib.Path("started").touch()
    time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "test_it.py").write_text(SUITE)
    return tmp_path


def start(folder: Path) -> subprocess.Popen[str]:
    words = ["run", "--data", str(folder / "data"), "--", sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    environment = {key: value for key, value in os.environ.items() if key != "CROSSFLEET_ADDRESS"}
    return subprocess.Popen(
        [sys.executable, "-m", "crossfleet.cli.main", *words],
        cwd=folder / "suite",
        env=environment | {"OF_THE_SHELL": "yes"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def all_gone(folder: Path) -> bool:
    return not processes_with(str(folder))


def test_a_run_brings_its_fleet_and_takes_it_away(folder: Path) -> None:
    process = start(folder)
    out, err = process.communicate(timeout=50)
    assert (process.returncode, "2 cases, 1 passed, 1 failed" in out) == (1, True), out + err
    assert until(lambda: all_gone(folder), "the fleet is gone")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_fleet_and_the_test_end_with_the_command(folder: Path, number: signal.Signals) -> None:
    (folder / "suite" / "test_it.py").write_text(SLOW)
    process = start(folder)
    until((folder / "suite" / "started").exists, "the test runs", seconds=40)
    process.send_signal(number)
    out, err = process.communicate(timeout=40)
    assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL), out + err
    assert until(lambda: all_gone(folder), "fleet and test are gone", seconds=15)


def test_a_supervisor_that_was_told_of_no_fleet_ends_without_a_word() -> None:
    words = [sys.executable, "-m", "crossfleet.cli.fleet.supervise", "0", "1"]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_wrong_arguments_of_pytest_are_wrong_usage(folder: Path) -> None:
    words = ["run", "--data", str(folder / "data"), "--", sys.executable, "-m", "pytest", "--no-such-option"]
    done = subprocess.run(
        [sys.executable, "-m", "crossfleet.cli.main", *words],
        cwd=folder / "suite",
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert (done.returncode, "no-such-option" in done.stdout) == (2, True), done.stdout + done.stderr
