"""A shim per test, ended with it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.worker.tests.shim.driver import Shim


@pytest.fixture
def state() -> Iterator[Path]:
    """A state folder whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="cfs", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def shim(state: Path) -> Iterator[Shim]:
    """A shim with an agent attached."""
    started = Shim(state)
    started.attach()
    yield started
    started.end()
