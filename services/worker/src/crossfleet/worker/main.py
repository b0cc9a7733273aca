"""The worker's story: settings, folders, agent, readiness, signals, end."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import platformdirs

from crossfleet.foundation.config import load
from crossfleet.foundation.errors.base import FieldViolation
from crossfleet.foundation.errors.installation import ConfigurationInvalid
from crossfleet.foundation.filesystems import refuse_network_filesystem
from crossfleet.foundation.lifeline import watch_lifeline
from crossfleet.foundation.lock import FolderLock
from crossfleet.foundation.logs import configure
from crossfleet.foundation.serve import Server, run_service
from crossfleet.foundation.serve.addresses import parse
from crossfleet.foundation.serve.process import print_ready
from crossfleet.worker.agent import Agent
from crossfleet.worker.assembly import assemble
from crossfleet.worker.config import Settings


def main() -> int:
    """`crossfleet-worker`: 0 left in good order, 2 wrong settings, 3 anything else."""
    return run_service("worker", _run)


async def _run() -> None:
    settings = load(Settings, service="worker", argv=sys.argv[1:])
    configure("worker", format=settings.log_format, level=settings.log_level)
    if not settings.coordinator:
        raise ConfigurationInvalid(
            "no coordinator", fields=[FieldViolation("coordinator", "name where it listens: unix:/PATH or HOST:PORT")]
        )
    parse(settings.coordinator)
    state = _folder(settings.state, platformdirs.user_state_path("crossfleet") / "worker")
    cache = _folder(settings.cache, platformdirs.user_cache_path("crossfleet"))
    with FolderLock(state).acquire():
        refuse_network_filesystem(state)
        for name in ("shim", "allocations"):
            (state / name).mkdir(mode=0o700, exist_ok=True)
        parse(f"unix:{state / 'shim' / 'shim.sock'}")
        agent = assemble(settings, state, cache, lambda: print_ready("worker", settings.server.listen))
        await _serve(agent, settings)


async def _serve(agent: Agent, settings: Settings) -> None:
    ending: list[asyncio.Task[None]] = []

    def abandon() -> None:
        for task in ending:
            task.cancel()
        ending.append(asyncio.ensure_future(agent.abandon()))

    def on_signal(name: str) -> None:
        if ending:
            abandon()
            return
        leaving = agent.leave(name, drain_seconds=settings.server.drain_seconds, grace=settings.grace_seconds)
        ending.append(asyncio.ensure_future(leaving))

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number.name)
    lifeline = watch_lifeline(settings.server.lifeline_fd, abandon) if settings.server.lifeline_fd >= 0 else None
    door = asyncio.ensure_future(_open_door(agent, settings))
    try:
        await agent.run()
    finally:
        await _close_door(door)
        if lifeline is not None:
            lifeline.close()


async def _open_door(agent: Agent, settings: Settings) -> Server | None:
    """Serve the agent's own service, where an address was given; its imports come after the session has begun."""
    if not settings.server.listen:
        return None
    from crossfleet.worker.agent_service import definition

    server = Server(definition(agent), settings.server)
    await server.start()
    return server


async def _close_door(door: asyncio.Task[Server | None]) -> None:
    server = await door
    if server is not None:
        server.draining.begin("the agent has left")
        await server.stop()


def _folder(chosen: str, default: Path) -> Path:
    folder = Path(chosen).absolute() if chosen else default
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
