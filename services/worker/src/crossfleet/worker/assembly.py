"""Putting an agent together from its settings."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import grpc

from crossfleet.foundation.channel import Credentials
from crossfleet.foundation.following.route import Route
from crossfleet.foundation.serve.addresses import UnixAddress, parse_list
from crossfleet.worker import late, processenv
from crossfleet.worker.agent import Agent
from crossfleet.worker.artifacts import Artifacts
from crossfleet.worker.building import EnvironmentCache
from crossfleet.worker.checkup import Checkup
from crossfleet.worker.config import Settings
from crossfleet.worker.connection import Connection
from crossfleet.worker.content import ContentCache
from crossfleet.worker.core.backoff import Backoff
from crossfleet.worker.core.link import Link
from crossfleet.worker.detectors.search import Search
from crossfleet.worker.devicewatch import DeviceWatch
from crossfleet.worker.environment import Environments
from crossfleet.worker.fetching import Fetcher
from crossfleet.worker.identity import devices_to_share, identity, worker_version
from crossfleet.worker.inventory import Inventory
from crossfleet.worker.lasting import Lasting
from crossfleet.worker.logs import LogPusher
from crossfleet.worker.memory import resident_bytes
from crossfleet.worker.opening import Openings
from crossfleet.worker.orders import Orders
from crossfleet.worker.preparation import Limits, Preparation
from crossfleet.worker.repair import Repair
from crossfleet.worker.reports import Reports
from crossfleet.worker.runners.registry import Runners
from crossfleet.worker.selftest import SelfTest
from crossfleet.worker.session import Session
from crossfleet.worker.shimlink import ShimLink
from crossfleet.worker.shimstart import ShimProcess
from crossfleet.worker.succession import Succession
from crossfleet.worker.uploading import Uploading
from crossfleet.worker.workspace import Workspaces


def assemble(settings: Settings, state: Path, cache: Path, on_ready: Callable[[], None]) -> Agent:
    """An agent over the folder `state`, sharing `cache` with other workers of the host. Raises ConfigurationInvalid."""
    runners = Runners()
    link = Link()
    who = identity(settings, runners.names)
    inventory = _inventory(settings)
    agent = Agent(who, link, inventory, on_ready)
    version = worker_version()
    process = _process(settings, state, version)
    shim = ShimLink(process, agent.on_line, agent.on_shim_lost)
    session = Session(link, agent, resident_bytes=lambda: resident_bytes(os.getpid(), shim.pid))
    connection = _connection(settings, session)
    logs = LogPusher(who.name, lambda: connection.channel)
    preparation = _preparation(settings, state, cache, who.name, connection)
    uploading = Uploading(who.name, lambda: connection.channel, most_bytes=settings.artifact_bytes)
    late_artifacts = _late_artifacts(settings, state, uploading)
    artifacts = Artifacts(preparation.place, uploading, late_artifacts)
    openings = Openings(
        link,
        shim,
        runners=runners,
        preparation=preparation,
        devices=lambda: inventory.by_id,
        say=logs.system,
        wake=session.wake,
    )
    every = settings.detector_every_seconds
    devices = DeviceWatch(inventory, link, openings, shim, every=every, tell=agent.tell_devices, wake=session.wake)
    checkup = _checkup(settings, state, cache, inventory, agent)
    orders = Orders(link, shim, openings, checkup, wake=session.wake, grace=settings.grace_seconds)
    lasting = Lasting(link, session.wake_soon)
    reports = Reports(
        link,
        orders,
        openings,
        logs,
        artifacts,
        lasting,
        devices,
        on_attached=agent.on_attached,
        on_trouble=agent.on_trouble,
        wake=session.wake,
        wake_soon=session.wake_soon,
    )
    agent.assemble(
        process=process,
        shim=shim,
        session=session,
        connection=connection,
        orders=orders,
        succession=Succession(link, shim, orders, version),
        openings=openings,
        reports=reports,
        logs=logs,
        artifacts=artifacts,
        late=late_artifacts,
        lasting=lasting,
        devices=devices,
    )
    return agent


def _inventory(settings: Settings) -> Inventory:
    search, share = Search(settings.detector_seconds), devices_to_share(settings.share)
    return Inventory(search, stale_seconds=settings.detector_stale_seconds, share=share)


def _process(settings: Settings, state: Path, version: str) -> ShimProcess:
    lifeline, grace = settings.server.lifeline_fd, settings.orphan_seconds
    return ShimProcess(state / "shim", version=version, lifeline_fd=lifeline, grace=grace, spares=settings.spares)


def _late_artifacts(settings: Settings, state: Path, uploading: Uploading) -> late.LateArtifacts:
    limits = late.Limits(settings.late_artifact_bytes, settings.late_artifact_days)
    return late.LateArtifacts(state / "artifacts", uploading, limits)


def _checkup(settings: Settings, state: Path, cache: Path, inventory: Inventory, agent: Agent) -> Checkup:
    environment = {
        **processenv.passed_through(os.environ, settings.pass_through),
        "CROSSFLEET_WORKER": agent.identity.name,
    }
    repair = Repair(settings.repair, settings.repair_seconds, environment)
    return Checkup(SelfTest((state, cache), inventory), repair, agent.say)


def _preparation(settings: Settings, state: Path, cache: Path, worker: str, connection: Connection) -> Preparation:
    fetcher = Fetcher(ContentCache(cache / "content"), lambda: connection.channel)
    builder = EnvironmentCache(cache / "environments", seconds=settings.build_seconds)
    return Preparation(
        state / "allocations",
        worker=worker,
        base=processenv.passed_through(os.environ, settings.pass_through),
        environments=Environments(builder, embedded=settings.embedded, default=settings.python),
        workspaces=Workspaces(fetcher, embedded=settings.embedded),
        limits=Limits(settings.collect_seconds, settings.grace_seconds, settings.output_bytes, settings.host_root),
        embedded=settings.embedded,
    )


def _connection(settings: Settings, session: Session) -> Connection:
    route = Route(settings.coordinator, _credentials(settings).check)
    on_this_machine = all(isinstance(address, UnixAddress) for address in parse_list(settings.coordinator))
    backoff = Backoff(random.random) if on_this_machine else Backoff(random.random, first=0.125, quick=0, most=4.0)
    return Connection(route, session, open_channel=_dialler(settings), backoff=backoff)


def _dialler(settings: Settings) -> Callable[[str], grpc.aio.Channel]:
    return _credentials(settings).open


def _credentials(settings: Settings) -> Credentials:
    return Credentials(
        token_file=settings.server.token_file,
        tls_authority=settings.coordinator_authority,
        tls_certificate=settings.coordinator_certificate,
        tls_key=settings.coordinator_key,
        insecure=settings.coordinator_insecure,
        message_bytes=settings.server.message_bytes,
    )
