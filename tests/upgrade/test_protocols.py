"""Parts of this version beside parts of the version before, over real connections."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.end_to_end.standing import PYTEST, Standing, crossfleet, environment, outcomes, up
from tests.upgrade import earlier

pytestmark = [pytest.mark.needs_git, pytest.mark.timeout(120)]

SUITE = """
import os, pathlib, pytest
@pytest.mark.parametrize("number", range(20))
def test_many(number): pass
def test_artifact(): pathlib.Path(os.environ["CROSSFLEET_ARTIFACTS"], "left.txt").write_text("left behind")
def test_failing(): assert 1 == 2
@pytest.mark.skip
def test_skipped(): pass
def test_crashing(): os._exit(3)
"""
VERSIONS = {"earlier": earlier.environment, "this": dict}


@contextmanager
def joined(fleet: Standing, name: str, env: Mapping[str, str]) -> Iterator[None]:
    """A worker of another version in the fleet."""
    words = ["worker", "--join", fleet.env["CROSSFLEET_ADDRESS"], "--name", name, "--slots", "2", "--label", "by=join"]
    words += ["--token-file", fleet.env["CROSSFLEET_TOKEN_FILE"], "--data", str(fleet.data.with_name(name))]
    with fleet.data.with_name(f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "crossfleet.cli.main", *words, "--cache", str(fleet.data.with_name("cache"))],
            env=environment(env),
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


@pytest.mark.parametrize(
    ("coordinator", "worker", "client"),
    [
        ("earlier", "this", "this"),
        ("this", "earlier", "earlier"),
        pytest.param("this", "earlier", "this", marks=pytest.mark.slow),
        pytest.param("this", "this", "earlier", marks=pytest.mark.slow),
        pytest.param("earlier", "earlier", "this", marks=pytest.mark.slow),
        pytest.param("earlier", "this", "earlier", marks=pytest.mark.slow),
    ],
)
def test_one_version_apart_everything_works_together(
    tmp_path: Path, coordinator: str, worker: str, client: str
) -> None:
    suite = tmp_path / "suite"
    suite.mkdir()
    (suite / "test_suite.py").write_text(SUITE)
    asking = VERSIONS[client]()
    with up(tmp_path / "fleet", "--grpc", "127.0.0.1:0", "--worker", "own", env=VERSIONS[coordinator]()) as fleet:
        address = next(one for one in fleet.addresses() if not one.startswith("unix:"))
        fleet.env = {"CROSSFLEET_ADDRESS": address, "CROSSFLEET_TOKEN_FILE": str(fleet.data / "token"), **asking}
        with joined(fleet, "other", VERSIONS[worker]()):
            options = ("--target", 'default=worker.labels["by"] == "join"', "--wait")
            done, report = fleet.report(*PYTEST, cwd=suite, options=options, seconds=90)
            run_id = report["run"]["run_id"]
            asked = {
                words[0]: crossfleet(*words, cwd=tmp_path, env=fleet.env)
                for words in (["show", run_id], ["logs", run_id], ["workers"], ["artifacts", "list", run_id], ["cases"])
            }

    found = outcomes(report)
    assert done.status == 1, done.text
    assert len(found) == 24
    assert {outcome for case, outcome in found.items() if "test_many" in case} == {"passed"}
    assert [found[f"test_suite.py::test_{name}"] for name in ("artifact", "failing", "skipped", "crashing")] == [
        "passed",
        "failed",
        "skipped",
        "crashed",
    ]
    assert {each.status for name, each in asked.items() if name != "show"} == {0}, asked
    assert "assert 1 == 2" in asked["show"].out
    assert "left.txt" in asked["artifacts"].out
    assert "other" in asked["workers"].out


def test_what_is_called_earlier_is_earlier(tmp_path: Path) -> None:
    asked = crossfleet("admin", "--help", cwd=tmp_path, env=earlier.environment())
    where = subprocess.run(
        [sys.executable, "-c", "import crossfleet.coordinator as one; print(one.__file__)"],
        env={**os.environ, **earlier.environment()},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "there is no command 'admin'" in asked.err
    assert str(earlier.folder()) in where.stdout
