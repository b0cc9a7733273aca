"""Wires the bridge: settings, pools, the scheduler behind, Slurm's commands, the server."""

from __future__ import annotations

import os
from pathlib import Path

from crossfleet.api.scheduler.v1.scheduler_service_pb2_grpc import (
    SchedulerServiceStub,
    add_SchedulerServiceServicer_to_server,
)
from crossfleet.foundation import logs, telemetry
from crossfleet.foundation.auth import read_token
from crossfleet.foundation.channel import Credentials, open_channel
from crossfleet.foundation.clock import SystemClock
from crossfleet.foundation.config import load
from crossfleet.foundation.draining import Draining
from crossfleet.foundation.errors.base import FieldViolation
from crossfleet.foundation.errors.installation import ConfigurationInvalid
from crossfleet.foundation.serve import ServiceDefinition, run_service, serve
from crossfleet.foundation.serve.addresses import parse_list
from crossfleet.slurm import __version__
from crossfleet.slurm.commands import SlurmCommands
from crossfleet.slurm.config import Settings
from crossfleet.slurm.core.piloting import Limits, Piloting
from crossfleet.slurm.core.pool import Pool
from crossfleet.slurm.core.shaping import Suitability
from crossfleet.slurm.jobs import HERE, Jobs
from crossfleet.slurm.pools import load_pools
from crossfleet.slurm.rounds import Rounds
from crossfleet.slurm.servicer import BridgeServicer
from crossfleet.slurm.stream import Stream


async def start() -> None:
    """Serve until SIGTERM, or until the supervisor is gone. Pilots go on, and are found again."""
    settings = load(Settings, service="slurm")
    logs.configure("slurm", format=settings.log_format, level=settings.log_level)
    telemetry.configure("slurm")
    _check(settings)
    pools = load_pools(settings.pools)
    clock, draining, suitability = SystemClock(), Draining(), Suitability(pools)
    piloting = Piloting(pools, suitability, _limits(settings), settings.name, settings.logs)
    slurm = SlurmCommands(_jobs(settings, pools), settings.command_seconds, os.environ)
    rounds = Rounds(piloting, slurm, clock, every=settings.poll_seconds, patience=settings.patience_seconds)
    async with open_channel(
        settings.scheduler,
        token_file=settings.scheduler_token_file,
        tls_authority=settings.scheduler_authority,
        message_bytes=settings.server.message_bytes,
    ) as channel:
        servicer = BridgeServicer(
            SchedulerServiceStub(channel),
            rounds,
            lambda: Stream(settings.name, suitability, clock),
            draining,
            __version__,
        )
        definition = ServiceDefinition("slurm", [(add_SchedulerServiceServicer_to_server, servicer)])
        await serve(definition, settings.server, draining=draining)


def _limits(settings: Settings) -> Limits:
    return Limits(
        pilots=settings.pilots,
        slot_seconds=settings.slot_seconds,
        patience_seconds=settings.patience_seconds,
        linger_seconds=settings.linger_seconds,
    )


def _jobs(settings: Settings, pools: tuple[Pool, ...]) -> Jobs:
    return Jobs(
        name=settings.name,
        pools={pool.name: pool for pool in pools},
        coordinator=settings.coordinator,
        worker=settings.worker or HERE,
        token_file=settings.worker_token_file,
        authority=settings.coordinator_authority,
        insecure=settings.coordinator_insecure,
        idle_seconds=settings.idle_seconds,
        leave_seconds=settings.leave_seconds,
        logs=settings.logs,
        cache=settings.cache,
    )


def _check(settings: Settings) -> None:
    """Tell here what would otherwise be told in the output of a job that waited for hours. Raises CrossfleetError."""
    if not settings.scheduler:
        raise _wrong("scheduler", "name where it listens: unix:/PATH or HOST:PORT (crossfleet-scheduler --listen ...)")
    if not settings.coordinator:
        raise _wrong("coordinator", "name where it listens as the nodes see it: HOST:PORT[,HOST:PORT...]")
    for field in ("worker_token_file", "coordinator_authority", "logs", "cache"):
        path = getattr(settings, field)
        if path and not os.path.isabs(path):
            raise _wrong(field, f"{path} must be absolute: it is read on the nodes")
    credentials = Credentials(
        token_file=settings.worker_token_file,
        tls_authority=settings.coordinator_authority,
        insecure=settings.coordinator_insecure,
    )
    for address in parse_list(settings.coordinator):
        credentials.check(str(address))
    if settings.worker_token_file and Path(settings.worker_token_file).exists():
        read_token(settings.worker_token_file)


def _wrong(field: str, what: str) -> ConfigurationInvalid:
    return ConfigurationInvalid("the settings of the Slurm bridge are wrong", fields=[FieldViolation(field, what)])


def main() -> int:
    """Run the service; answers the exit status: 0 after a drain, 2 for wrong settings, 3 for anything else."""
    return run_service("slurm", start)
