"""The schedulers of a simulation: ours as a process of its own, others at their addresses."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from crossfleet.cli.exits import UsageError
from crossfleet.cli.fleet import folders
from crossfleet.foundation.errors import Unavailable
from crossfleet.foundation.serve import addresses

OURS = "default"
_START_SECONDS = 30.0
_END_SECONDS = 5.0


@dataclass(frozen=True)
class NamedScheduler:
    """A scheduler and under which name it is reported; without an address it is ours."""

    name: str
    address: str = ""


def named(words: Sequence[str]) -> tuple[NamedScheduler, ...]:
    """What `--scheduler` words mean: `default`, ADDRESS or NAME=ADDRESS. Raises UsageError, AddressInvalid."""
    found: dict[str, NamedScheduler] = {}
    for word in words or (OURS,):
        name, _, address = word.rpartition("=")
        if word == OURS:
            one = NamedScheduler(OURS)
        else:
            addresses.parse(address)
            one = NamedScheduler(name or address, address)
        if one.name in found or (one.name == OURS and one.address):
            raise UsageError(f"--scheduler {word}: give each scheduler a name of its own, as NAME=ADDRESS")
        found[one.name] = one
    return tuple(found.values())


@asynccontextmanager
async def reached(one: NamedScheduler) -> AsyncIterator[str]:
    """The address of a scheduler, which lives at least as long as the block. Raises Unavailable."""
    if one.address:
        yield one.address
        return
    folder = folders.make_runtime_folder()
    lifeline, held = os.pipe()
    log = Path(folder, "log")
    errors = os.open(log, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "crossfleet.scheduler"),
            *("--listen", f"unix:{folder}/s.sock", "--lifeline-fd", str(lifeline)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            pass_fds=(lifeline,),
            start_new_session=True,
        )
        try:
            yield await _address(process, log)
        finally:
            await _end(process)
    finally:
        for handle in (errors, lifeline, held):
            os.close(handle)
        folders.remove_runtime_folder(folder)


async def _address(process: asyncio.subprocess.Process, log: Path) -> str:
    line = b""
    with suppress(TimeoutError):
        async with asyncio.timeout(_START_SECONDS):
            line = await process.stdout.readline() if process.stdout else b""
    said = json.loads(line) if line.startswith(b"{") else {}
    if not said.get("ready"):
        tail = log.read_bytes()[-2000:].decode("utf-8", "replace").strip()
        raise Unavailable(f"our scheduler did not start: {said.get('message') or tail or 'it said nothing'}")
    return str(said["address"])


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_END_SECONDS):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
