from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.standing import PYTEST, crossfleet, up
from tests.real.postgres import PostgresServer

SUITE = """
import os, pathlib
def test_artifact(): pathlib.Path(os.environ["CROSSFLEET_ARTIFACTS"], "left.txt").write_text("left behind")
def test_failing(): assert 1 == 2
"""


@pytest.mark.timeout(120)
def test_a_fleet_moves_from_one_machine_to_postgresql_and_a_shared_store(tmp_path: Path) -> None:
    suite = tmp_path / "suite"
    suite.mkdir()
    (suite / "test_suite.py").write_text(SUITE)
    old = ("--data", str(tmp_path / "old"))
    with PostgresServer({"fsync": "off"}) as server:
        places = {"database": server.create("fleet"), "artifacts": (tmp_path / "shared").as_uri()}
        flags = [word for name, value in places.items() for word in (f"--{name}", value)]
        crossfleet("run", *old, "--", *PYTEST, cwd=suite)
        backup = crossfleet("admin", "backup", "fleet.backup", "--artifacts", *old, cwd=tmp_path)
        restore = ("admin", "restore", "fleet.backup", "--data", str(tmp_path / "new"))
        restored = crossfleet(*restore, *flags, cwd=tmp_path)
        again = crossfleet(*restore, *flags, cwd=tmp_path)
        settings = {f"CROSSFLEET_COORDINATOR_{name.upper()}": value for name, value in places.items()}
        with up(tmp_path / "new", env=settings) as fleet:
            runs = fleet.ask("runs").out
            run_id = next(word for word in runs.split() if word.startswith("run-"))
            asked = [
                fleet.ask(*words).out for words in (["show", run_id], ["logs", run_id], ["artifacts", "list", run_id])
            ]
            fetched = fleet.ask("artifacts", "get", run_id, "--into", str(tmp_path / "got"))
            later = fleet.run(*PYTEST, cwd=suite)
            history = fleet.ask("cases", "--failed").out

    assert (backup.status, restored.status) == (0, 0), backup.text + restored.text
    assert "1 runs, 2 verdicts" in restored.out
    assert (again.status, "not empty" in again.err) == (2, True), again.text
    assert "assert 1 == 2" in asked[0]
    assert "1 failed, 1 passed" in asked[1]
    assert "left.txt" in asked[2]
    assert next((tmp_path / "got").rglob("left.txt")).read_text() == "left behind", fetched.text
    assert later.status == 1, later.text
    assert "last 2 runs" in history


def test_mistakes_are_told_and_change_nothing(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path / "data"))
    crossfleet("run", *data, "--", "echo", "done", cwd=tmp_path)
    (tmp_path / "there").write_text("mine")
    told = {
        "is there already": crossfleet("admin", "backup", "there", *data, cwd=tmp_path),
        "there is no folder": crossfleet("admin", "backup", "nowhere/file", *data, cwd=tmp_path),
        "no data folder": crossfleet("admin", "backup", "file", "--data", "nothing", cwd=tmp_path),
        "there is no file": crossfleet("admin", "restore", "nowhere", "--data", "new", cwd=tmp_path),
        "no backup of crossfleet": crossfleet("admin", "restore", "there", "--data", "new", cwd=tmp_path),
        "there is no flag --artefacts. Did you mean --artifacts?": crossfleet(
            "admin", "restore", "there", "--data", "new", "--artefacts", cwd=tmp_path
        ),
        "there is no command": crossfleet("admin", "back-up", cwd=tmp_path),
    }

    assert {text: done.status for text, done in told.items() if text not in done.err or done.status != 2} == {}
    assert (tmp_path / "there").read_text() == "mine"
    assert not (tmp_path / "new").exists()
    shown = crossfleet("admin", "retention", *data, cwd=tmp_path)
    assert (shown.status, "90 days" in shown.out, "would go now" in shown.out) == (0, True, True), shown.text
