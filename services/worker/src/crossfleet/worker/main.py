"""The worker's story: settings, folders, agent, readiness, signals, end."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import platformdirs

from crossfleet.foundation import telemetry
from crossfleet.foundation.config import load
from crossfleet.foundation.errors.base import FieldViolation
from crossfleet.foundation.errors.installation import ConfigurationInvalid
from crossfleet.foundation.filesystems import refuse_network_filesystem
from crossfleet.foundation.lifeline import watch_lifeline
from crossfleet.foundation.lock import FolderLock
from crossfleet.foundation.logs import configure
from crossfleet.foundation.serve import Server, ServerSettings, ServiceDefinition, run_service
from crossfleet.foundation.serve.addresses import parse_list
from crossfleet.foundation.serve.process import STOPPED, print_ready
from crossfleet.foundation.wait import first_of
from crossfleet.worker.agent import Agent
from crossfleet.worker.agent_service import servicer
from crossfleet.worker.assembly import assemble
from crossfleet.worker.caching import keep_small
from crossfleet.worker.config import Settings
from crossfleet.worker.idling import idle
from crossfleet.worker.renewal import Renewal
from crossfleet.worker.sweeping import sweep


def main() -> int:
    """`crossfleet-worker`: 0 left in good order, 2 wrong settings, 3 anything else."""
    renewal = Renewal()
    status = run_service("worker", lambda: _run(renewal))
    if renewal.wanted and status == STOPPED:
        renewal.begin()
    return status


async def _run(renewal: Renewal) -> None:
    settings = load(Settings, service="worker", argv=sys.argv[1:])
    configure("worker", format=settings.log_format, level=settings.log_level)
    telemetry.configure("worker")
    if not settings.coordinator:
        raise ConfigurationInvalid(
            "no coordinator",
            fields=[FieldViolation("coordinator", "name where it listens: unix:/PATH or HOST:PORT[,HOST:PORT...]")],
        )
    parse_list(settings.coordinator)
    state = _folder(settings.state, platformdirs.user_state_path("crossfleet") / "worker")
    cache = _folder(settings.cache, platformdirs.user_cache_path("crossfleet"))
    with FolderLock(state).acquire():
        refuse_network_filesystem(state)
        for name in ("shim", "allocations"):
            (state / name).mkdir(mode=0o700, exist_ok=True)
        welcomed = asyncio.Event()
        agent = assemble(settings, state, cache, welcomed.set)
        agent.tidy = lambda held: _tidy(agent, held)
        keeping = asyncio.ensure_future(keep_small(cache, settings.cache_days, settings.cache_bytes))
        try:
            await _serve(agent, settings, welcomed, renewal)
        finally:
            keeping.cancel()


async def _serve(agent: Agent, settings: Settings, welcomed: asyncio.Event, renewal: Renewal) -> None:
    ending: list[asyncio.Task[None]] = []

    def abandon() -> None:
        for task in ending:
            task.cancel()
        ending.append(asyncio.ensure_future(agent.abandon()))

    def leave(reason: str) -> None:
        leaving = agent.leave(reason, drain_seconds=settings.server.drain_seconds, grace=settings.grace_seconds)
        ending.append(asyncio.ensure_future(leaving))

    async def leave_when_idle(seconds: float) -> None:
        await idle(agent.link, lambda: agent.late.waiting, seconds)
        if not ending:
            leave(f"idle for {seconds:g} s")

    def on_signal(number: signal.Signals) -> None:
        if renewal.wanted:
            renewal.told.append(number)
            return
        if ending:
            abandon()
            return
        leave(number.name)

    def on_hangup() -> None:
        if not ending:
            renewal.wanted, renewal.lifeline = True, settings.server.lifeline_fd
            ending.append(asyncio.ensure_future(agent.step_aside()))

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    renewal.listen(on_hangup)
    lifeline = watch_lifeline(settings.server.lifeline_fd, abandon) if settings.server.lifeline_fd >= 0 else None
    door = Server(ServiceDefinition("worker", [servicer(agent)]), settings.server)
    announcing = asyncio.ensure_future(_announce(door, settings.server, welcomed))
    idling = asyncio.ensure_future(leave_when_idle(settings.idle_exit_seconds)) if settings.idle_exit_seconds else None
    try:
        await first_of(agent.run(), announcing)
    finally:
        if idling is not None:
            idling.cancel()
        await door.abandon()
        if lifeline is not None and not renewal.wanted:
            lifeline.close()


async def _tidy(agent: Agent, held: list[str]) -> None:
    preparation = agent.openings.preparation
    kept = [preparation.place(allocation) for allocation in held]
    await asyncio.to_thread(sweep, preparation.folder, kept, agent.late.keep)
    agent.late.wake()


async def _announce(door: Server, settings: ServerSettings, welcomed: asyncio.Event) -> None:
    """Serve the agent's own service where that is asked for, and say that the worker is ready."""
    wanted = settings.listen or settings.metrics
    addresses = await door.start() if wanted else ()
    await welcomed.wait()
    print_ready("worker", addresses)
    await asyncio.Event().wait()


def _folder(chosen: str, default: Path) -> Path:
    folder = Path(chosen).absolute() if chosen else default
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
