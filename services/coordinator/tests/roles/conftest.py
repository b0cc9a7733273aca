from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from crossfleet.coordinator.config import Settings
from crossfleet.coordinator.election.port import Leader
from crossfleet.coordinator.ledger.database import SqliteFile
from crossfleet.coordinator.opening import prepare
from crossfleet.coordinator.roles.terms import Terms
from crossfleet.coordinator.standing import Standing
from crossfleet.foundation.draining import Draining
from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.errors.status import error_from_rpc
from crossfleet.foundation.testing import serving
from crossfleet.foundation.wait import eventually
from services.coordinator.tests.roles.elections import MemoryElection, Urn


@dataclass(eq=False)
class Member:
    """One coordinator, with a channel to it."""

    name: str
    election: MemoryElection
    terms: Terms
    draining: Draining
    channel: grpc.aio.Channel
    running: asyncio.Task[None]

    async def leads(self) -> None:
        """Wait until it does."""
        await eventually(lambda: self.terms.leads.holds, deadline=30, what=f"{self.name} leads")


class Group:
    """Coordinators on one database, in one loop. The first one that was added leads first."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.folder = folder
        self.urn = Urn()
        self._stack = stack
        self._database = SqliteFile(folder)  # SQLite lets several connections of one process share a file

    async def add(self, name: str, *, stands: bool = True) -> Member:
        """One that serves, and leads when it is its turn."""
        draining = Draining()
        election = MemoryElection(self.urn, stands)
        settings = Settings(data=str(self.folder / name), embedded=True)
        standing = Standing(settings, {}, self.folder / name, name, self._database, election, False, draining)
        await prepare(self._database)
        terms, definition = await self._stack.enter_async_context(standing.terms())
        served = await self._stack.enter_async_context(serving(definition, draining=draining))
        terms.me = Leader(name, served.address)
        running = asyncio.ensure_future(terms.run())
        draining.on_drain(lambda: asyncio.wait([running]))
        return Member(name, election, terms, draining, served.channel, running)


@pytest.fixture
def closed_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest_asyncio.fixture
async def group(tmp_path: Path) -> AsyncIterator[Group]:
    async with AsyncExitStack() as stack:
        yield Group(tmp_path, stack)


async def refused(call: Any) -> CrossfleetError:
    """The error of a call that is refused; for a stream, the one that ends it."""
    try:
        if hasattr(call, "__aiter__"):
            async with asyncio.timeout(10):
                async for _ in call:
                    pass
        else:
            await call
    except grpc.RpcError as error:
        return error_from_rpc(error)
    raise AssertionError("the call was answered")
