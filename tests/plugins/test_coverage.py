"""pytest-cov: data of all slots, targets and workers as one, reports where plain pytest has them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.standing import Standing, environment, up
from tests.plugins.both import QUIET, fleet, plain, write
from tests.truth.subjects import Subject, lay_out
from tests.truth.suites import CLICK, DATEUTIL

pytestmark = [pytest.mark.needs_uv, pytest.mark.timeout(300)]

PROJECT = {
    "pkg/__init__.py": """
    import os
    def kind(n):
        if n % 3 == 0: return "fizz"
        elif n % 5 == 0:
            return "buzz"
        return n
    def never():
        return 2
    class Loop:
        def run(self, n):
            for i in range(n):
                if i == 3:
                    break
            else:
                return 1
            return 2
    """,
    "pkg/alone.py": """
    import sys
    def main(word):
        if word == "a":
            return 1
        return 2
    if __name__ == "__main__":
        main(sys.argv[1])
    """,
    "pkg/unused.py": "x = 1\n",
    "tests/test_a.py": """
    import pkg, pytest, subprocess, sys
    @pytest.mark.parametrize("n", range(12))
    def test_kind(n): pkg.kind(n)
    def test_alone(): subprocess.run([sys.executable, "-m", "pkg.alone", "a"], check=True)
    """,
    "tests/test_b.py": """
    import pkg, pytest
    @pytest.mark.parametrize("n", range(3))
    def test_loop(n): pkg.Loop().run(n)
    @pytest.mark.parametrize("n", range(3))
    def test_multiprocessing(n):
        pkg.kind(15)
    """,
}
FORMS = {
    "in addopts": (
        {
            "pytest.ini": "[pytest]\nfilterwarnings = ignore\nasyncio_default_fixture_loop_scope = function\n"
            "addopts = --cov=pkg --cov-branch --cov-report=xml --cov-report=html\n"
        },
        (),
    ),
    "in parallel, with programs": (
        {".coveragerc": "[run]\nparallel = true\nbranch = true\npatch = subprocess\nsource = pkg\n"},
        ("--cov", "--cov-report=term-missing"),
    ),
}


def covered(python: Path, root: Path, data: str = ".coverage") -> dict[str, object]:
    """Lines and arcs of each file of a data file, by the path from `root`."""
    script = (
        "import coverage, json, os, sys\n"
        "data = coverage.CoverageData(sys.argv[1]); data.read()\n"
        "print(json.dumps({os.path.relpath(f): [sorted(data.lines(f)), sorted(data.arcs(f) or ())]"
        " for f in data.measured_files()}))\n"
    )
    done = subprocess.run(
        [str(python), "-c", script, data], cwd=root, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("form", FORMS)
def test_coverage_of_all_slots_is_that_of_plain_pytest(
    standing: Standing, python: Path, project: Path, form: str
) -> None:
    files, words = FORMS[form]
    write(project, {**PROJECT, **files})
    words = (*QUIET, *words)
    env = {"PYTHONPATH": str(project)}

    expected = plain(python, project, *words, env=env)
    lines = covered(python, project)
    reports = [project / name for name in ("coverage.xml", "htmlcov/index.html") if (project / name).exists()]
    for left in (project / ".coverage", *reports):
        left.unlink()
    found = fleet(standing, python, project, *words, env=env)

    assert (expected.status, found.status) == (0, 0), expected.text + found.text
    assert covered(python, project) == lines
    assert len(lines) >= 2
    assert all(report.exists() for report in reports)
    table = [line for line in expected.text.splitlines() if line.startswith(("pkg", "TOTAL"))]
    assert [line for line in found.text.splitlines() if line.startswith(("pkg", "TOTAL"))] == table
    assert not list(project.glob(".coverage.*"))


def test_coverage_of_copies_on_two_workers_and_targets_is_one(
    two_workers: Standing, python: Path, project: Path
) -> None:
    write(project, {**PROJECT, ".coveragerc": "[run]\nbranch = true\nsource = pkg\n"})
    words = (*QUIET, "-p", "no:xdist", "--cov", "--cov-report=")

    plain(python, project, *words, env={"PYTHONPATH": "."})
    lines = covered(python, project)
    (project / ".coverage").unlink()
    found = fleet(
        two_workers,
        python,
        project,
        *words,
        options=("--isolated", "--target", "a=", "--target", "b="),
        env={"PYTHONPATH": "."},
    )

    assert found.status == 0, found.text
    assert covered(python, project) == lines


@pytest.mark.parametrize("least", [pytest.param(50, marks=pytest.mark.truth), 95])
def test_too_little_coverage_fails_the_command(standing: Standing, python: Path, project: Path, least: int) -> None:
    write(project, PROJECT)
    words = (*QUIET, "--cov=pkg", f"--cov-fail-under={least}")

    expected = plain(python, project, *words, env={"PYTHONPATH": "."})
    found = fleet(standing, python, project, *words, env={"PYTHONPATH": "."})

    assert found.status == expected.status == int(least > 90)
    verdict = [line for line in expected.text.splitlines() if "Required test coverage" in line]
    assert verdict
    assert verdict[0] in found.text


def test_coverage_comes_back_from_a_fleet_that_has_another_workspace(
    fleets_folder: Path, python: Path, project: Path
) -> None:
    write(project, {**PROJECT, ".gitignore": ".coverage\n", "below/pytest.ini": "[pytest]\n"})
    shutil.move(project / "tests", project / "below" / "tests")
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    words = ("-p", "no:cacheprovider", "--cov=pkg", "--cov-branch", "--cov-report=json:covered.json")
    below = project / "below"
    (below / "requirements.txt").write_text("pytest==9.2.0\npytest-cov==7.1.0\ncoverage==7.17.4\n")
    (below / "conftest.py").write_text(
        "import sys, pathlib; sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))\n"
    )

    plain(python, below, *words, env={"PYTHONPATH": ".."})
    lines = covered(python, below)
    (below / ".coverage").unlink()
    with up(fleets_folder / "remote", "--grpc", "127.0.0.1:0", "--slots", "2") as remote:
        tcp = next(address for address in remote.addresses() if not address.startswith("unix:"))
        remote.env = {"CROSSFLEET_ADDRESS": tcp, "CROSSFLEET_TOKEN_FILE": str(remote.data / "token")}
        found = fleet(
            remote, python, below, *words, options=("--requirements", "requirements.txt", "--env", "PYTHONPATH=..")
        )

    assert found.status == 0, found.text
    assert covered(python, below) == lines
    assert (below / "covered.json").exists()


@pytest.mark.truth
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("subject", "source"), [(CLICK, "click"), (DATEUTIL, "dateutil")], ids=lambda each: getattr(each, "name", each)
)
def test_the_coverage_of_a_real_suite_is_that_of_plain_pytest(
    standing: Standing, subject: Subject, source: str, tmp_path: Path
) -> None:
    laid = lay_out(subject, "pytest-cov==7.0.0", "coverage==7.10.7")
    root = tmp_path / "suite"
    shutil.copytree(laid.root, root)
    words = ("-p", "no:cacheprovider", f"--cov={source}", "--cov-branch", "--cov-report=", *laid.arguments)

    plain(laid.python, root, *words)
    lines = covered(laid.python, root)
    (root / ".coverage").unlink()
    found = fleet(standing, laid.python, root, *words, seconds=500)

    assert len(lines) > 5
    assert covered(laid.python, root) == lines, found.text[-3000:]
