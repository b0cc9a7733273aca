from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.standing import Standing, up
from tests.faults.leftovers import kill_all, processes_of


@pytest.fixture(scope="session")
def fleets_folder() -> Iterator[Path]:
    """Where the fleets of this session keep their data. What they leave behind is killed."""
    with tempfile.TemporaryDirectory(prefix="cf-e2e-", ignore_cleanup_errors=True) as name:
        yield Path(name)
        kill_all(processes_of(Path(name)))


@pytest.fixture(scope="session")
def fleet(fleets_folder: Path, clean_environment: None) -> Iterator[Standing]:
    """One fleet for all tests that do not harm it: two workers, `left` and `right`, of one slot each."""
    data = fleets_folder / "standing"
    with up(data, "--worker", "left,side=left", "--worker", "right,side=right", "--slots", "2") as standing:
        yield standing


@pytest.fixture
def folder(fleets_folder: Path) -> Iterator[Path]:
    """A data folder's parent for a test with a fleet of its own."""
    with tempfile.TemporaryDirectory(prefix="t", dir=fleets_folder, ignore_cleanup_errors=True) as name:
        yield Path(name)
        kill_all(processes_of(Path(name)))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty checkout."""
    place = tmp_path / "project"
    place.mkdir()
    return place
