"""For tests: a real server of a definition inside the test's own loop, and a clock that jumps."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import msgspec

from crossfleet.foundation.channel import open_channel
from crossfleet.foundation.clock import ManualClock
from crossfleet.foundation.draining import Draining
from crossfleet.foundation.serve.definition import ServerSettings, ServiceDefinition
from crossfleet.foundation.serve.server import Server


class JumpingClock(ManualClock):
    """Sleeps by moving itself on; keeps what was slept."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        """Returns at once, later."""
        self.slept.append(seconds)
        self.advance(seconds)


@dataclass(frozen=True)
class Running:
    """A started server, its first address, and a channel to it."""

    server: Server
    address: str
    channel: grpc.aio.Channel


@asynccontextmanager
async def serving(
    definition: ServiceDefinition, settings: ServerSettings | None = None, *, draining: Draining | None = None
) -> AsyncIterator[Running]:
    """Serves on a Unix socket in a folder of its own (or as `settings` say) until the block ends."""
    with tempfile.TemporaryDirectory(prefix="cf-") as folder:
        wanted = settings or ServerSettings()
        if not wanted.listen:
            wanted = msgspec.structs.replace(wanted, listen=(f"unix:{Path(folder, 's')}",))
        server = Server(definition, wanted, draining)
        addresses = await server.start()
        try:
            async with open_channel(addresses[0], token_file=wanted.token_file) as channel:
                yield Running(server, addresses[0], channel)
        finally:
            await server.stop()
