"""The operator's own command that mends a host. No shell, a limit of time, and its output is kept."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO

_MOST_OUTPUT = 16 * 1024
TIMED_OUT, NOT_STARTED = -1, -2


@dataclass(frozen=True, slots=True)
class Repaired:
    """What it did: exit status (TIMED_OUT, NOT_STARTED), seconds, the end of its output."""

    exit_status: int
    seconds: float
    output: bytes


class Repair:
    """Runs the command, one at a time is up to the caller."""

    def __init__(self, command: Sequence[str], seconds: float, environment: Mapping[str, str]) -> None:
        """`command` is program and arguments; empty: there is nothing to run."""
        self._command = tuple(command)
        self._seconds = seconds
        self._environment = environment

    async def run(self, cause: str, device_id: str) -> Repaired | None:
        """Run it to its end, or end it. None: no command is configured. Does not raise."""
        if not self._command:
            return None
        begun = asyncio.get_running_loop().time()
        environment = {**self._environment, "CROSSFLEET_CAUSE": cause, "CROSSFLEET_DEVICE": device_id}
        with tempfile.TemporaryFile() as output:
            try:
                status = await self._status(environment, output)
                told = _end_of(output)
            except (OSError, ValueError) as error:
                status, told = NOT_STARTED, f"{self._command[0]} could not be started: {error}".encode()
        return Repaired(status, asyncio.get_running_loop().time() - begun, told)

    async def _status(self, environment: Mapping[str, str], output: IO[bytes]) -> int:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environment),
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(self._seconds):
                return await process.wait()
        except TimeoutError:
            return TIMED_OUT
        finally:
            # Whatever it left in the background belongs to it; its pid names the group, though it may be gone itself.
            _end_group(process.pid)
            if process.returncode is None:
                await process.wait()


def _end_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def _end_of(output: IO[bytes]) -> bytes:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(size - _MOST_OUTPUT, 0))
    return output.read()
