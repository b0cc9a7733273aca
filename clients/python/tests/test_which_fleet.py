"""Which fleet a command asks, where the environment and the command line name different ones."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clients.python.tests.scripted_fleet import Script
from clients.python.tests.test_commands import PASSED, fleet_and_shell
from crossfleet.cli.main import main

ELSEWHERE = "unix:/nowhere/c.sock"


@pytest.mark.parametrize(
    "words",
    [
        "runs",
        "show run-1",
        "watch run-1",
        "cases",
        "logs run-1",
        "stacks run-1",
        "artifacts list run-1",
        "durations export durations.json",
        "reproduce test_a",
        "cancel run-1",
        "explain run-1",
        "workers",
        "devices list",
        "drain w1",
        "reserve",
        "scheduler status",
        "schedule list",
        "schedule create nightly --cron @daily -- --data DIR -- true",
        "admin quota list",
        "admin backup fleet.backup",
        "simulate --record",
    ],
)
def test_a_data_folder_that_is_named_wins_over_the_address_of_the_environment(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CROSSFLEET_ADDRESS", ELSEWHERE)
    monkeypatch.chdir(tmp_path)
    named = ["--data", str(tmp_path / "none")]
    said = words.replace("--data DIR", " ".join(named)).split()
    if named[0] not in said:
        said += named
    assert main(said) == 2
    told = capsys.readouterr().err
    assert str(tmp_path / "none") in told
    assert ELSEWHERE not in told


def test_a_run_in_a_data_folder_that_is_named_is_not_sent_elsewhere(tmp_path: Path) -> None:
    words = ["run", "--data", "here", "--json", "report.json", "--", "true"]
    done = subprocess.run(
        [sys.executable, "-m", "crossfleet.cli.main", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "CROSSFLEET_ADDRESS": ELSEWHERE},
        timeout=50,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    run_id = json.loads((tmp_path / "report.json").read_text())["run"]["run_id"]
    assert f"crossfleet show {run_id} --data here" in done.stdout
    assert (tmp_path / "here" / "ledger.sqlite").exists()


async def test_a_run_elsewhere_says_that_it_cannot_make_that_fleet_larger(tmp_path: Path) -> None:
    async with fleet_and_shell(tmp_path, Script({"t.py::a": PASSED})) as (_, shell):
        sized = await shell("run", "-q", "--workers", "2", "--slots", "4", "--", "true")
        plain = await shell("run", "-q", "--", "true")
    assert "--workers, --slots: the fleet that CROSSFLEET_ADDRESS names stays as large as it is" in sized.err
    assert "CROSSFLEET_ADDRESS" not in plain.err
