"""How often fixtures are set up on two slots, beside `pytest -n 2 --dist load`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.standing import Standing, environment, up
from tests.truth.subjects import lay_out
from tests.truth.suites import REST_FRAMEWORK

HERE = Path(__file__).resolve().parent
SCOPES = ("session", "package", "module", "class")


@pytest.fixture(scope="module")
def counting(clean_environment: None) -> Iterator[Standing]:
    """A fleet of two slots whose suites write to one file what they set up."""
    with tempfile.TemporaryDirectory(prefix="cf-setups-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        variables = {"SETUPS": str(folder / "setups.txt"), "PYTHONPATH": str(HERE)}
        with up(folder / "data", "--slots", "2", env=variables) as standing:
            yield standing


def written(standing: Standing) -> Path:
    return standing.data.with_name("setups.txt")


def by_scope(standing: Standing) -> Counter[str]:
    """Set-ups since the last look."""
    file = written(standing)
    found = Counter(file.read_text().split())
    file.unlink()
    return found


def on_xdist(standing: Standing, python: Path, root: Path, *arguments: str) -> Counter[str]:
    """Set-ups by scope of `pytest -n 2 --dist load`."""
    done = subprocess.run(
        [python, "-m", "pytest", "-n", "2", "--dist", "load", "-p", "no:cacheprovider", "-p", "setups", *arguments],
        cwd=root,
        env=environment({"SETUPS": str(written(standing)), "PYTHONPATH": str(HERE)}),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return by_scope(standing)


def on_fleet(standing: Standing, python: Path, root: Path, *arguments: str) -> Counter[str]:
    """The same on the fleet."""
    variables = {"SETUPS": str(written(standing)), "PYTHONPATH": str(HERE)}
    words = (str(python), "-m", "pytest", "-p", "no:cacheprovider", "-p", "setups", *arguments)
    done = standing.run(*words, cwd=root, options=("-q",), seconds=200, env=variables)
    assert done.status in (0, 1), done.text
    return by_scope(standing)


def write_scoped(root: Path) -> None:
    """Three packages of four modules of two classes of six cases, with a fixture for each scope."""
    fixtures = "".join(
        f"@pytest.fixture(scope={scope!r}, autouse=True)\ndef of_{scope}(): time.sleep(0.001)\n" for scope in SCOPES
    )
    for package in ("one", "two", "three"):
        (root / package).mkdir(parents=True)
        (root / package / "__init__.py").touch()
        (root / package / "conftest.py").write_text(f"import time\nimport pytest\n{fixtures}")
        for number in range(4):
            (root / package / f"test_{number}.py").write_text(
                "import time\nimport pytest\n"
                + "".join(
                    f"class Test{kind}:\n"
                    "    @pytest.mark.parametrize('number', range(6))\n"
                    "    def test_it(self, number): time.sleep(0.01)\n"
                    for kind in ("First", "Second")
                )
            )


@pytest.mark.timeout(120)
def test_fixtures_are_set_up_no_oftener_than_with_xdist(counting: Standing, tmp_path: Path) -> None:
    write_scoped(tmp_path / "scoped")
    python = Path(sys.executable)

    theirs = on_xdist(counting, python, tmp_path / "scoped")
    ours = on_fleet(counting, python, tmp_path / "scoped")

    assert all(theirs[scope] for scope in SCOPES)
    assert {scope: (ours[scope], theirs[scope]) for scope in SCOPES if ours[scope] > theirs[scope]} == {}


@pytest.mark.truth
@pytest.mark.needs_uv
@pytest.mark.timeout(600)
def test_fixtures_of_a_real_suite_are_set_up_no_oftener_than_with_xdist(counting: Standing) -> None:
    suite = lay_out(REST_FRAMEWORK)

    theirs = on_xdist(counting, suite.python, suite.root, *suite.arguments)
    ours = on_fleet(counting, suite.python, suite.root, *suite.arguments)

    assert theirs["session"] + theirs["module"] + theirs["class"] > 0
    assert {scope: (ours[scope], theirs[scope]) for scope in SCOPES if ours[scope] > theirs[scope]} == {}
