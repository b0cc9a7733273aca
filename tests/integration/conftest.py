from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.integration.processes import Fleet


@pytest_asyncio.fixture
async def fleet() -> AsyncIterator[Fleet]:
    """A fleet with one worker of two slots. Its folder has a short name: a socket's path has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="cf-") as folder:
        async with Fleet(Path(folder)) as running:
            await running.start()
            yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[Fleet]:
    """The same for all tests of a module that do it no harm. They run in the module's loop."""
    with tempfile.TemporaryDirectory(prefix="cf-") as folder:
        async with Fleet(Path(folder)) as running:
            await running.start()
            yield running
