"""The coordinator: takes its data folder, serves, follows or leads, and hands over when told to stop."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

from crossfleet.coordinator.config import Settings
from crossfleet.coordinator.election.port import Election
from crossfleet.coordinator.election.solo import SoloElection
from crossfleet.coordinator.opening import database_of
from crossfleet.coordinator.scheduling.roster import roster
from crossfleet.coordinator.standing import Ready, Standing
from crossfleet.foundation import garbage, logs, telemetry
from crossfleet.foundation.config import load_with_sources
from crossfleet.foundation.errors import AddressInvalid, ConfigurationInvalid, FieldViolation, SocketPathTooLong
from crossfleet.foundation.filesystems import refuse_network_filesystem
from crossfleet.foundation.lock import FolderLock
from crossfleet.foundation.serve import print_ready, run_service
from crossfleet.foundation.serve.addresses import TcpAddress, parse

_EVERYWHERE = frozenset({"0.0.0.0", "::", "::0"})  # noqa: S104 - not served on, but told apart


async def start(settings: Settings, sources: Mapping[str, str]) -> None:
    """Serves until SIGTERM, SIGINT, the supervisor's end, or the loss of the ledger. `sources`: of settings, by name."""
    if not settings.data:
        raise ConfigurationInvalid("no data folder", fields=[FieldViolation("data", "a folder: --data DIR")])
    folder = Path(settings.data).resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = database_of(settings, folder)
    roster(settings.schedulers, settings.scheduler)  # refused here, not by the first term
    if not settings.database:
        refuse_network_filesystem(folder)
    name = f"{socket.gethostname()}:{os.getpid()}"
    with FolderLock(folder) as lock:
        election = await _election(settings)
        alone = not settings.etcd.endpoints
        standing = Standing(settings, sources, folder, name, database, election, alone)
        await standing.serve(_announced(lock))


async def _election(settings: Settings) -> Election:
    """By etcd where that is named. Raises ConfigurationInvalid, and what `open_election` raises."""
    if not settings.etcd.endpoints:
        return SoloElection()
    if not settings.database:
        needed = FieldViolation("database", "the one that all coordinators share: --database postgresql+psycopg://...")
        raise ConfigurationInvalid("coordinators that elect a leader by etcd need one database", fields=[needed])
    _check_advertised(settings)
    if not settings.artifacts:
        logs.get_logger().warning("artifacts lie in this coordinator's data folder: another leader does not have them")
    from crossfleet.coordinator.election.etcd import open_election  # not for a fleet that has no etcd

    return await open_election(settings.etcd, settings.election, settings.leader_lease_seconds)


def _check_advertised(settings: Settings) -> None:
    """Raises ConfigurationInvalid unless others can dial the address under which this coordinator is to lead."""
    address = settings.advertise or next(iter(settings.server.listen), "")
    try:
        parsed = parse(address)
    except (AddressInvalid, SocketPathTooLong) as error:
        raise _not_advertised(error.message) from error
    if isinstance(parsed, TcpAddress) and (parsed.host in _EVERYWHERE or (settings.advertise and not parsed.port)):
        raise _not_advertised(f"{address} is no address that others can dial")


def _not_advertised(why: str) -> ConfigurationInvalid:
    needed = FieldViolation("advertise", "HOST:PORT by which others reach this coordinator: --advertise HOST:PORT")
    return ConfigurationInvalid(why, fields=[needed])


def _announced(lock: FolderLock) -> Ready:
    """Says where it serves: in the lock, for a second fleet on this folder, and on stdout, for the supervisor."""

    def ready(name: str, addresses: tuple[str, ...]) -> None:
        lock.announce(addresses[0] if addresses else "")
        print_ready(name, addresses)

    return ready


def main() -> int:
    """Run the service; answers the exit status: 0 after a drain, 2 for wrong settings, 3 for anything else."""
    wrong: ConfigurationInvalid | None = None
    settings, sources = Settings(), dict[str, str]()
    logs.configure("coordinator")
    try:
        settings, sources = load_with_sources(Settings, service="coordinator")
    except ConfigurationInvalid as error:
        wrong = error  # run_service says so
    else:
        logs.configure("coordinator", format=settings.log_format, level=settings.log_level)
        telemetry.configure("coordinator")

    async def begin() -> None:
        if wrong is not None:
            raise wrong
        garbage.begin()
        await start(settings, sources)

    return run_service("coordinator", begin, uvloop=settings.uvloop)
