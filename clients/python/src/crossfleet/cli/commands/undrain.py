"""`crossfleet undrain`: takes a worker back."""

from __future__ import annotations

import argparse

from crossfleet.api.coordinator.v1.fleet_service_pb2 import WorkerStatus
from crossfleet.cli.commands.drain import tell
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.client import Client


def parser() -> argparse.ArgumentParser:
    """The parser of `undrain`."""
    made = command_parser(
        "undrain", "Lets a worker take work again that was drained, quarantined or held.", "  crossfleet undrain gpu-1"
    )
    made.add_argument("worker_id", metavar="WORKER")
    return made


def main(arguments: list[str]) -> int:
    """Takes a worker back; answers the exit status."""
    options = parser().parse_args(arguments)

    async def taken_back(client: Client) -> WorkerStatus:
        return await client.fleet.undrain(options.worker_id)

    tell(ask(options.data, taken_back), options.output)
    return 0
