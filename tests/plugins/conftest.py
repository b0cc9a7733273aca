from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.standing import Standing, up
from tests.faults.leftovers import kill_all, processes_of
from tests.plugins.environments import ALL
from tests.truth.subjects import environment


@pytest.fixture(scope="session")
def fleets_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cf-plug-", ignore_cleanup_errors=True) as name:
        yield Path(name)
        kill_all(processes_of(Path(name)))


@pytest.fixture(scope="session")
def standing(fleets_folder: Path, clean_environment: None) -> Iterator[Standing]:
    """One worker of two slots."""
    with up(fleets_folder / "one", "--slots", "2") as fleet:
        yield fleet


@pytest.fixture(scope="session")
def two_workers(fleets_folder: Path, clean_environment: None) -> Iterator[Standing]:
    """Two workers of two slots each, on one host."""
    with up(fleets_folder / "two", "--worker", "left", "--worker", "right", "--slots", "4") as fleet:
        yield fleet


@pytest.fixture(scope="session")
def python() -> Path:
    """The interpreter that has all plugins."""
    return environment("plugins", *ALL)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    place = tmp_path / "project"
    place.mkdir()
    return place
