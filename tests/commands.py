"""The `crossfleet` command as a process, in an environment of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Finished:
    """How a command ended and what it said."""

    status: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Both streams, for messages of failed tests."""
        return f"exit {self.status}\n{self.out}\n--- stderr\n{self.err}"


@dataclass
class Command:
    """One that runs."""

    process: asyncio.subprocess.Process

    async def finished(self, seconds: float = 50.0) -> Finished:
        """Wait for its end. Raises TimeoutError."""
        out, err = await asyncio.wait_for(self.process.communicate(), seconds)
        return Finished(self.process.returncode or 0, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))

    def signal(self, number: signal.Signals) -> None:
        """To the command alone, not to its children."""
        self.process.send_signal(number)

    async def line(self, word: str, seconds: float = 40.0) -> str:
        """Read standard output up to a line with `word`. Raises AssertionError where it ends before."""
        assert self.process.stdout is not None
        seen: list[str] = []
        async with asyncio.timeout(seconds):
            while raw := await self.process.stdout.readline():
                seen.append(raw.decode("utf-8", "replace"))
                if word in seen[-1]:
                    return seen[-1]
        assert self.process.stderr is not None
        raise AssertionError(f"no line with {word!r}: {seen}\n{(await self.process.stderr.read()).decode()}")


@asynccontextmanager
async def crossfleet(*words: str, cwd: Path, env: Mapping[str, str] | None = None) -> AsyncIterator[Command]:
    """Start it; killed at the end of the block where it still runs."""
    command = Command(
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "crossfleet.cli.main", *words),
            cwd=cwd,
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200", **(env or {})},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    )
    try:
        yield command
    finally:
        if command.process.returncode is None:
            command.process.kill()
            await command.process.wait()


async def run_crossfleet(
    *words: str, cwd: Path, env: Mapping[str, str] | None = None, seconds: float = 50.0
) -> Finished:
    """Run it to its end."""
    async with crossfleet(*words, cwd=cwd, env=env) as command:
        return await command.finished(seconds)
