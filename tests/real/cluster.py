"""A whole cluster on one machine: etcd, PostgreSQL, coordinators, schedulers, a gateway and workers, all supervised."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from crossfleet.foundation.wait import eventually
from tests.real import etcd
from tests.real.coordinators import Coordinators
from tests.real.postgres import PostgresServer, postgres_server
from tests.real.supervised import Supervised

COORDINATORS = ("a", "b", "c")
SCHEDULERS = {"s1": ("a", "b"), "s2": ("c",)}
"""Each coordinator has one scheduler."""
WORKERS = {"w1": ("alpha",), "w2": ("beta",), "w3": ("alpha", "beta")}
"""With their labels: each of two targets finds two workers, one of them for itself."""
WORKER_LEASE_SECONDS = 4


class Cluster:
    """Its parts by name. `settled` waits until it works; `stop` ends all of it."""

    def __init__(self, folder: Path, electors: etcd.Cluster, postgres: PostgresServer, seed: int = 0) -> None:
        """Below `folder`, whose name is short: sockets lie in it."""
        self.folder = folder
        self.electors = electors
        self.postgres = postgres
        self.coordinators = Coordinators(folder, electors.endpoints, postgres.create(folder.name))
        self.gateway_url = f"http://127.0.0.1:{_free_port()}"
        self._chance = random.Random(f"pauses {seed}")
        self.parts: dict[str, Supervised] = {}
        for scheduler, served in SCHEDULERS.items():
            address = f"unix:{folder}/{scheduler}.s"
            self._add(scheduler, "scheduler", "--listen", address)
            for name in served:
                flags = (*self.coordinators.flags_of(name), "--scheduler", address)
                shared = ("--artifacts", f"file://{folder}/artifacts", "--lease-seconds", str(WORKER_LEASE_SECONDS))
                self._add(name, "coordinator", *flags, *shared)
        for name, labels in WORKERS.items():
            self._add(name, "worker", *self._worker_flags(name, labels))
        web = ("--http", self.gateway_url.removeprefix("http://"), "--token-file", f"{folder}/token")
        self._add("gateway", "integrations", "--coordinator", self.addresses, *web)

    @property
    def addresses(self) -> str:
        """Of all coordinators, as the setting of clients and workers has it."""
        return ",".join(map(self.coordinators.address, COORDINATORS))

    def gateway(self, path: str) -> dict[str, Any]:
        """What the gateway answers to GET. Raises OSError, ValueError."""
        token = (self.folder / "token").read_text().strip()
        request = urllib.request.Request(f"{self.gateway_url}{path}", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            body: dict[str, Any] = json.loads(answer.read())
        return body

    async def start(self) -> None:
        """All at once, as after a power cut; `settled` waits."""
        for part in self.parts.values():
            part.start()

    async def leader(self, seconds: float = 30.0) -> str:
        """The name of the coordinator that leads, once there is one."""

        async def found() -> str:
            leading = await asyncio.gather(*map(self.coordinators.leads, COORDINATORS))
            return next((name for name, leads in zip(COORDINATORS, leading, strict=True) if leads), "")

        return await eventually(found, deadline=seconds, what="somebody leads")

    async def settled(self, seconds: float = 60.0) -> None:
        """Wait until somebody leads, who has a scheduler and all workers."""

        async def there() -> bool:
            found = await self.coordinators.asked(await self.leader(seconds))
            return found.scheduler_connected and found.workers_by_state.get("WORKER_STATE_READY", 0) == len(WORKERS)

        await eventually(there, deadline=seconds, interval=0.1, what="a leader, a scheduler and all workers")

    async def stop(self) -> None:
        """Workers first: they wait for a coordinator that takes their last results."""
        for names in (WORKERS, ("gateway",), COORDINATORS, SCHEDULERS):
            await asyncio.gather(*(self.parts[name].stop() for name in names))

    def _add(self, name: str, kind: str, *flags: str) -> None:
        log = self.folder / f"{name}.log"
        self.parts[name] = Supervised.service(name, kind, flags, log, lambda: self._chance.uniform(0.2, 1.0))

    def _worker_flags(self, name: str, labels: tuple[str, ...]) -> list[str]:
        labelled = [word for label in labels for word in ("--label", f"{label}=yes")]
        places = ("--state", f"{self.folder}/{name}", "--cache", f"{self.folder}/cache")
        return ["--coordinator", self.addresses, "--name", name, "--slots", "2", "--embedded", *places, *labelled]


@asynccontextmanager
async def cluster(folder: Path, seed: int = 0) -> AsyncIterator[Cluster]:
    """One that works when the block begins, and is ended with it."""
    with etcd.running(folder / "e", nodes=3) as electors, postgres_server() as postgres:
        whole = Cluster(folder, electors, postgres, seed)
        await whole.start()
        try:
            await whole.settled()
            yield whole
        finally:
            await whole.stop()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
