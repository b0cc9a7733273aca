"""What the processes of the simulated workers tell while they work."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from benchmarks.fleet_load.workers import ECHO

_ARRIVAL_SECONDS = 60


class Told:
    """When the first task of each run arrived at a worker (unix seconds), and how long the echoes of an idle one took."""

    def __init__(self, processes: Sequence[subprocess.Popen[bytes]]) -> None:
        """They print a line for each."""
        self._processes = processes
        self._at: dict[str, float] = {}
        self._news = asyncio.Condition()
        self.echoes: list[float] = []

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Reads inside the block."""
        tasks = [asyncio.ensure_future(self._read(process)) for process in self._processes]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, process: subprocess.Popen[bytes]) -> None:
        loop, stream = asyncio.get_running_loop(), asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), process.stdout)
        async for line in stream:
            name, seconds = line.decode().split()
            if name == ECHO:
                self.echoes.append(float(seconds))
                continue
            async with self._news:
                self._at[name] = float(seconds)
                self._news.notify_all()

    async def arrival(self, run_id: str) -> float:
        """Waits for a run's first task. Raises TimeoutError."""
        async with asyncio.timeout(_ARRIVAL_SECONDS), self._news:
            await self._news.wait_for(lambda: run_id in self._at)
            return self._at[run_id]
