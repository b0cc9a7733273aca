"""Interpreters that are there, and environments that are built."""

from __future__ import annotations

import sys
import threading
import venv
import zipfile
from pathlib import Path

import pytest

from crossfleet.api.types.v1 import result_pb2, suite_pb2
from crossfleet.foundation.errors import EnvironmentFailed
from crossfleet.worker.building import EnvironmentCache
from services.worker.tests.agent.stage import staged


def _wheel(folder: Path) -> str:
    """A package of one module, as a requirements text that needs no index."""
    with zipfile.ZipFile(folder / "tinything-1.0-py3-none-any.whl", "w") as wheel:
        info = "tinything-1.0.dist-info"
        wheel.writestr("tinything.py", "SIZE = 'tiny'\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tinything\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "tinything.py,,\n")
    return f"--no-index\n--find-links {folder}\ntinything==1.0\n"


def test_an_environment_is_built_once_and_found_again(tmp_path: Path) -> None:
    said: list[str] = []
    cache = EnvironmentCache(tmp_path / "cache", seconds=60)
    first = cache.get(_wheel(tmp_path), sys.executable, said.append)
    lines = len(said)
    second = cache.get(_wheel(tmp_path), sys.executable, said.append)
    assert first == second
    assert lines == len(said) > 0
    assert list(first.glob("lib/python*/site-packages/tinything.py"))


def test_two_workers_that_want_the_same_environment_build_it_once(tmp_path: Path) -> None:
    said: list[str] = []
    requirements = _wheel(tmp_path)
    threads = [
        threading.Thread(
            target=lambda: EnvironmentCache(tmp_path / "cache", seconds=60).get(
                requirements, sys.executable, said.append
            )
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len([line for line in said if line.startswith("building")]) == 1


def test_a_requirement_that_cannot_be_had_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    cache = EnvironmentCache(tmp_path / "cache", seconds=60)
    with pytest.raises(EnvironmentFailed, match="nothere"):
        cache.get("--no-index\nnothere==1.0\n", sys.executable, lambda line: None)
    assert not [path for path in (tmp_path / "cache").iterdir() if path.is_dir()]


async def test_a_suite_runs_in_the_interpreter_of_its_target() -> None:
    async with staged() as stage:
        stage.suite(test_p="import sys\n\ndef test_prefix():\n    assert sys.prefix.endswith('own-env')\n")
        own = stage.folder / "own-env"
        venv.create(own, with_pip=False, symlinks=True)
        packages = next(own.glob("lib/python*/site-packages"))
        # Also the folders of members that are installed editable: pytest loads what they declare as plugins.
        ours = [path for path in sys.path if path.endswith(("site-packages", "/src", "/gen"))]
        (packages / "here.pth").write_text("\n".join(ours))
        await stage.ready(stage.start())
        stage.open(environment=suite_pb2.Environment(local_python=str(own / "bin" / "python")))
        await stage.collected()
        stage.assign(1, [0])
        await stage.finished(1)
        assert stage.coordinator.results[1, 0].outcome == result_pb2.OUTCOME_PASSED, stage.coordinator.results[1, 0]


async def test_an_interpreter_without_pytest_is_an_environment_that_failed() -> None:
    async with staged() as stage:
        stage.suite(test_a="def test_a(): pass\n")
        venv.create(stage.folder / "bare", with_pip=False, symlinks=True)
        await stage.ready(stage.start())
        stage.open(environment=suite_pb2.Environment(local_python=str(stage.folder / "bare/bin/python")))
        end = await stage.allocation_ended()
        assert end.cause == result_pb2.CAUSE_ENVIRONMENT
        assert "pytest" in end.message


@pytest.mark.parametrize("python", ["/not/there/python", "python3"])
async def test_an_interpreter_that_is_not_there_is_named(python: str) -> None:
    async with staged() as stage:
        stage.suite(test_a="def test_a(): pass\n")
        await stage.ready(stage.start())
        stage.open(environment=suite_pb2.Environment(local_python=python))
        end = await stage.allocation_ended()
        assert end.cause == result_pb2.CAUSE_ENVIRONMENT
        assert python in end.message
