"""The floor: the same election on the same etcd, by processes that do nothing else."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import sys
import time
from pathlib import Path
from signal import SIGKILL

from tests.real.coordinators import LEASE_SECONDS

_ELECTION = "bare"
_LIMIT = 30.0


class Candidate:
    """One process that stands for election."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @staticmethod
    async def start(endpoints: str, name: str) -> Candidate:
        """One that stands."""
        script = str(Path(__file__).with_name("candidate.py"))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, script, endpoints, _ELECTION, str(LEASE_SECONDS), name), stdout=asyncio.subprocess.PIPE
        )
        candidate = Candidate(process)
        await candidate.says("stands")
        return candidate

    async def says(self, event: str) -> float:
        """When it said so, in unix seconds."""
        assert self._process.stdout is not None
        said = json.loads(await asyncio.wait_for(self._process.stdout.readline(), _LIMIT) or b"{}")
        if said.get("event") != event:
            raise RuntimeError(f"a candidate of the bare election said {said}, not {event}")
        return float(said["at"])

    async def end(self, number: int) -> float:
        """Signals it; when that was."""
        at = time.time()
        self._process.send_signal(number)
        await self._process.wait()
        return at


class BareElection:
    """Candidates one after the other: the first leads, the second waits."""

    def __init__(self, endpoints: str) -> None:
        self._endpoints = endpoints
        self._names = (f"candidate-{number}" for number in itertools.count())
        self._standing: list[Candidate] = []

    async def start(self) -> None:
        """A leader and one who waits."""
        self._standing = [await Candidate.start(self._endpoints, next(self._names))]
        await self._standing[0].says("won")
        self._standing.append(await Candidate.start(self._endpoints, next(self._names)))

    async def passes(self, number: int) -> float:
        """Seconds from the signal to the leader until the next one has won; then another one waits behind that."""
        await asyncio.sleep(random.random() * LEASE_SECONDS)  # the lease was renewed some time ago
        first, second = self._standing
        at = await first.end(number)
        won = await second.says("won")
        self._standing = [second, await Candidate.start(self._endpoints, next(self._names))]
        return won - at

    async def stop(self) -> None:
        """End both."""
        for candidate in self._standing:
            await candidate.end(SIGKILL)
        self._standing = []
