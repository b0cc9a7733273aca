"""Tests that need a GPU of NVIDIA. They are part of every run, and say what is missing where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.standing import Standing, up


@pytest.fixture(scope="session", autouse=True)
def _a_gpu() -> None:
    program = shutil.which("nvidia-smi")
    if program is None or subprocess.run([program, "-L"], capture_output=True, check=False).returncode:
        pytest.skip("no GPU of NVIDIA here: nvidia-smi lists none")


@pytest.fixture(scope="session")
def torch_python() -> Path:
    """An interpreter that has PyTorch and pytest: TORCH_PYTHON, else this one."""
    python = Path(os.environ.get("TORCH_PYTHON", sys.executable))
    if subprocess.run([python, "-c", "import torch, pytest"], capture_output=True, check=False).returncode:
        pytest.skip("TORCH_PYTHON names no interpreter with torch and pytest")
    return python


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    """One worker of this host with four slots."""
    with up(tmp_path_factory.mktemp("gpu") / "fleet", "--slots", "4") as standing:
        yield standing


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty checkout."""
    place = tmp_path / "project"
    place.mkdir()
    return place
