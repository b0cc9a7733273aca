"""What the process of the simulated workers tells while it works."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from benchmarks.fleet_load.workers import ECHO

_ARRIVAL_SECONDS = 60


class Told:
    """When the first task of each run arrived at a worker (unix seconds), and how long the echoes of an idle one took."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        """`process` prints a line for each."""
        self._process = process
        self._at: dict[str, float] = {}
        self._news = asyncio.Condition()
        self.echoes: list[float] = []

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """Reads inside the block."""
        task = asyncio.ensure_future(self._read())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _read(self) -> None:
        loop, stream = asyncio.get_running_loop(), asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), self._process.stdout)
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
