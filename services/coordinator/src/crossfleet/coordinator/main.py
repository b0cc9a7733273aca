"""The coordinator: takes its data folder, loads what is not finished, serves, and hands over when told to stop."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from crossfleet.coordinator import __version__
from crossfleet.coordinator.assembly import Coordinator, assemble
from crossfleet.coordinator.config import Settings
from crossfleet.coordinator.leadership import solo_election
from crossfleet.coordinator.opening import database_of, open_ledger
from crossfleet.foundation import logs, telemetry
from crossfleet.foundation.clock import SystemClock
from crossfleet.foundation.config import load_with_sources
from crossfleet.foundation.draining import Draining
from crossfleet.foundation.errors import ConfigurationInvalid, FieldViolation
from crossfleet.foundation.lock import FolderLock
from crossfleet.foundation.serve import ServiceDefinition, print_ready, run_service, serve


async def start(settings: Settings, sources: Mapping[str, str]) -> None:
    """Serves until SIGTERM, SIGINT, the supervisor's end, or the loss of the ledger. `sources`: of settings, by name."""
    if not settings.data:
        raise ConfigurationInvalid("no data folder", fields=[FieldViolation("data", "a folder: --data DIR")])
    folder = Path(settings.data).resolve()
    draining = Draining()
    with solo_election(folder) as lock:
        async with AsyncExitStack() as stack:
            writer, queries, epoch = await open_ledger(
                stack,
                database_of(settings, folder),
                leader=f"{socket.gethostname()}:{os.getpid()}",
                limit=settings.queue_commands,
            )
            coordinator = assemble(
                settings, folder, writer, queries, epoch, draining, SystemClock(), __version__, sources
            )
            await stack.enter_async_context(coordinator.running())
            stop_with_ledger = asyncio.ensure_future(_stop_when_broken(writer.wait_failed, draining))
            stack.callback(stop_with_ledger.cancel)
            draining.on_drain(coordinator.drain)
            definition = ServiceDefinition("coordinator", coordinator.servicers())
            await serve(definition, settings.server, draining=draining, ready=_announced(lock, coordinator))


def _announced(lock: FolderLock, coordinator: Coordinator) -> Callable[[str, tuple[str, ...]], None]:
    """Says where it serves: in the lock, for a second fleet on this folder, and on stdout, for the supervisor."""

    def ready(name: str, addresses: tuple[str, ...]) -> None:
        coordinator.address = addresses[0] if addresses else ""
        lock.announce(coordinator.address)
        print_ready(name, addresses)

    return ready


async def _stop_when_broken(wait_failed: Callable[[], Awaitable[str]], draining: Draining) -> None:
    """A coordinator that cannot commit must not go on: it ends, and its successor or restart loads what is committed."""
    cause = await wait_failed()
    logs.get_logger().error("the ledger is lost", cause=cause)
    draining.begin(f"the ledger is lost: {cause}")


def main() -> int:
    """Run the service; answers the exit status: 0 after a drain, 2 for wrong settings, 3 for anything else."""
    wrong: ConfigurationInvalid | None = None
    settings, sources = Settings(), dict[str, str]()
    logs.configure("coordinator")
    try:
        settings, sources = load_with_sources(Settings, service="coordinator")
    except ConfigurationInvalid as error:
        wrong = error  # run_service says so
    else:
        logs.configure("coordinator", format=settings.log_format, level=settings.log_level)
        telemetry.configure("coordinator")

    async def begin() -> None:
        if wrong is not None:
            raise wrong
        await start(settings, sources)

    return run_service("coordinator", begin, uvloop=settings.uvloop)
