"""One coordinator alone on a PostgreSQL that is away at its start, or stands still at its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGTERM

import grpc
import pytest

from crossfleet.api.coordinator.v1 import admin_service_pb2 as admin_pb2
from crossfleet.api.coordinator.v1.admin_service_pb2_grpc import AdminServiceStub
from crossfleet.client import Client, Endpoint
from crossfleet.foundation.channel import open_channel
from crossfleet.foundation.wait import eventually
from tests.integration.processes import Service, start_service
from tests.real.postgres import PostgresServer, postgres_server

END_SECONDS = 10.0
"""A coordinator that is told to stop gives its last commit three, and closes each connection within one."""


def starting(folder: Path, url: str) -> asyncio.Task[Service]:
    flags = (
        "--data",
        f"{folder}/c",
        "--listen",
        f"unix:{folder}/c.s",
        "--database",
        url,
        "--database-wait-seconds",
        "1",
    )
    return asyncio.ensure_future(start_service("coordinator", *flags, log=folder / "c.log"))


@asynccontextmanager
async def asked(folder: Path) -> AsyncIterator[Client]:
    async with Client.open(Endpoint(f"unix:{folder}/c.s")) as client:
        yield client


async def test_a_coordinator_waits_at_its_start_for_a_database_that_starts_later(folder: Path) -> None:
    with postgres_server() as server:
        url = server.create("fleet")
        server.stop()
        started = starting(folder, url)
        await eventually(lambda: "waits for the database" in said(folder), deadline=40, what="it says so")
        assert not started.done()
        server.start()
        service = await started
        async with asked(folder) as client:
            assert (await client.fleet.summary()).leads
        assert await service.end(SIGTERM) == 0


async def test_a_coordinator_ends_in_time_while_its_database_stands_still(
    folder: Path, postgres: PostgresServer
) -> None:
    service = await starting(folder, postgres.create(folder.name))
    async with asked(folder) as client:
        assert [run async for run in client.runs.list()] == []
        postgres.freeze()
        try:
            reading = asyncio.ensure_future(client.runs.get("run-none"))
            await refused(folder)  # so the one before has come to the database too
            began = time.monotonic()
            status = await service.end(SIGTERM)
            took = time.monotonic() - began
        finally:
            postgres.thaw()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    assert status == 0
    assert took < END_SECONDS


async def refused(folder: Path) -> None:
    """A command that came to the database."""
    request = admin_pb2.SetSemaphoreRequest(name="licence", capacity=1)
    async with open_channel(f"unix:{folder}/c.s") as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await AdminServiceStub(channel).SetSemaphore(request, timeout=10)


def said(folder: Path) -> str:
    log = folder / "c.log"
    return log.read_text() if log.exists() else ""
