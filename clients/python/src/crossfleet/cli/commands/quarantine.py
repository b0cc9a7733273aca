"""`crossfleet quarantine`: doubts a worker, which comes back by itself when it is well."""

from __future__ import annotations

import argparse

from crossfleet.api.coordinator.v1.fleet_service_pb2 import WorkerStatus
from crossfleet.cli.commands.drain import tell
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.client import Client


def parser() -> argparse.ArgumentParser:
    """The parser of `quarantine`."""
    made = command_parser(
        "quarantine",
        "Keeps new work away from a worker until it has passed a test and, where one waits, a task. What becomes of it:"
        " crossfleet workers. To keep it away until you say otherwise: crossfleet drain.",
        "  crossfleet quarantine gpu-1 --reason 'fails at night'",
    )
    made.add_argument("worker_id", metavar="WORKER")
    made.add_argument("--reason", default="", help="for people")
    return made


def main(arguments: list[str]) -> int:
    """Quarantines a worker; answers the exit status."""
    options = parser().parse_args(arguments)

    async def doubted(client: Client) -> WorkerStatus:
        return await client.fleet.quarantine(options.worker_id, options.reason)

    tell(ask(options.data, doubted), options.output)
    return 0
