"""One coordinator alone on a PostgreSQL that is away at its start, or stands still at its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGTERM

from crossfleet.client import Client, Endpoint
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
        await eventually(lambda: "waits for the database" in said(folder), deadline=20, what="it says so")
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
            listing = asyncio.ensure_future(client.runs.get("run-none"))
            limiting = asyncio.ensure_future(client.admin.set_semaphore("licence", 1))
            await asyncio.sleep(0.5)  # both have come to the database
            began = time.monotonic()
            status = await service.end(SIGTERM)
            took = time.monotonic() - began
        finally:
            postgres.thaw()
        listing.cancel()
        limiting.cancel()
        await asyncio.gather(listing, limiting, return_exceptions=True)

    assert status == 0
    assert took < END_SECONDS


def said(folder: Path) -> str:
    log = folder / "c.log"
    return log.read_text() if log.exists() else ""
