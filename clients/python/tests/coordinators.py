"""Several coordinators of one scripted fleet, in the test's own loop: each leads, names who does, or is gone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from clients.python.tests.scripted_fleet import Script, ScriptedFleet
from crossfleet.client import Client, Endpoint
from crossfleet.foundation.errors import NoLeader, NotLeader
from crossfleet.foundation.interceptors.layers import Call
from crossfleet.foundation.serve import Server, ServerSettings

READS = frozenset(("GetRun", "ListRuns", "ListCases", "GetFleet", "ListWorkers"))


class Coordinator:
    """A server of the fleet. `names`: the leader that it names; empty: it knows none; None: it leads itself."""

    def __init__(self, fleet: ScriptedFleet, names: str | None) -> None:
        self.names = names
        self.calls: list[str] = []
        self.address = ""
        self._definition = replace(fleet.definition, layers=[self._layer])
        self._server: Server | None = None

    async def start(self, address: str) -> Coordinator:
        """Serve there."""
        self._server = Server(self._definition, ServerSettings(listen=(address,), insecure=True, stop_seconds=0))
        (self.address,) = await self._server.start()
        return self

    async def stop(self) -> None:
        """Be gone; calls under way break off."""
        if self._server is not None:
            await self._server.abandon()
            self._server = None

    def _layer(self, call: Call) -> AbstractContextManager[None]:
        self.calls.append(call.method)
        if self.names is not None and call.method not in READS:
            raise NotLeader("ask the leader", leader=self.names) if self.names else NoLeader("nobody leads yet")
        return nullcontext()


class Coordinators:
    """Coordinators of one fleet, started one after the other."""

    def __init__(self, folder: Path, script: Script | None = None) -> None:
        self.fleet = ScriptedFleet(script)
        self._folder = folder
        self._all: list[Coordinator] = []

    async def add(self, names: str | None = None, *, address: str = "") -> Coordinator:
        """One more, on a Unix socket unless `address` says where. Without `names` it leads."""
        made = Coordinator(self.fleet, names)
        await made.start(address or f"unix:{self._folder}/{len(self._all)}")
        self._all.append(made)
        return made

    @property
    def addresses(self) -> str:
        """All of them, in the order in which they were added."""
        return ",".join(each.address for each in self._all)

    def client(self, *only: Coordinator, outage_seconds: float = 10.0) -> Client:
        """A client that was given all of them, or only some."""
        given = ",".join(each.address for each in only) or self.addresses
        return Client.open(Endpoint(given, outage_seconds=outage_seconds))

    async def stop(self) -> None:
        """All of them."""
        for each in self._all:
            await each.stop()


@asynccontextmanager
async def coordinators(folder: Path, script: Script | None = None) -> AsyncIterator[Coordinators]:
    """Of which none is left when the block ends."""
    opened = Coordinators(folder, script)
    try:
        yield opened
    finally:
        await opened.stop()
