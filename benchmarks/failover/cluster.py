"""Three coordinators on TCP with real etcd and PostgreSQL, a scheduler, a worker: processes on one machine and one clock."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import grpc

from crossfleet.client import Endpoint
from crossfleet.foundation.channel import open_channel
from crossfleet.foundation.wait import eventually
from tests.integration.processes import Service, start_service
from tests.real.coordinators import Coordinators

NAMES = ("a", "b", "c")
SLOTS = 4


@dataclass
class Cluster(Coordinators):
    """Coordinators that are reached as those of other machines are: by TCP, with a token and the pauses of a network."""

    ports: dict[str, int] = field(default_factory=dict)

    @property
    def token_file(self) -> str:
        """What all of them share."""
        return f"{self.folder}/token"

    @property
    def endpoint(self) -> Endpoint:
        """As a client's settings have it."""
        return Endpoint(self.addresses, token_file=self.token_file)

    def address(self, name: str) -> str:
        """As Coordinators; a coordinator that is started again keeps its port."""
        if name not in self.ports:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.ports[name] = probe.getsockname()[1]
        return f"127.0.0.1:{self.ports[name]}"

    async def start(self, name: str, *flags: str) -> Service:
        """As Coordinators, with a log for machines."""
        return await super().start(name, "--log-format", "json", "--token-file", self.token_file, *flags)

    async def start_worker(self, name: str = "w1", slots: int = SLOTS) -> Service:
        """As Coordinators, with the token."""
        self.workers[name] = await start_service(
            "worker",
            *("--coordinator", self.addresses, "--name", name, "--slots", str(slots), "--embedded"),
            *("--state", f"{self.folder}/{name}", "--cache", f"{self.folder}/cache", "--token-file", self.token_file),
            log=self.folder / f"{name}.log",
            name_of=name,
        )
        return self.workers[name]

    @asynccontextmanager
    async def channel(self, name: str) -> AsyncIterator[grpc.aio.Channel]:
        """As Coordinators, with the token."""
        async with open_channel(self.address(name), token_file=self.token_file) as channel:
            yield channel

    async def logged(self, names: Iterable[str], event: str, after: float) -> tuple[float, Mapping[str, object]]:
        """When one of these processes logged `event` for the first time after that moment, and with what. Waits for it."""
        logs = [self.folder / f"{name}.log" for name in names]

        def found() -> tuple[float, Mapping[str, object]] | None:
            for line in (line for log in logs for line in log.read_text().splitlines() if f'"{event}"' in line):
                said = json.loads(line)
                at = datetime.fromisoformat(said["timestamp"]).timestamp()
                if said["event"] == event and at >= after:
                    return at, said
            return None

        got = await eventually(found, deadline=30.0, what=f"one of {logs} says {event!r}")
        assert got is not None
        return got
