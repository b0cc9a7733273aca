"""`crossfleet drain` and `undrain`: take a worker out of service, and back."""

from __future__ import annotations

import argparse

from crossfleet.api.coordinator.v1.fleet_service_pb2 import WorkerStatus
from crossfleet.api.types.v1 import device_pb2
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.reporting import documents
from crossfleet.client import Client
from crossfleet.foundation.words import word


def parser() -> argparse.ArgumentParser:
    """The parser of `drain`."""
    made = command_parser(
        "drain",
        "Keeps new work away from a worker; running tasks end normally. Holds over restarts.",
        "  crossfleet drain gpu-1 --reason 'new driver'",
    )
    made.add_argument("worker_id", metavar="WORKER")
    made.add_argument("--reason", default="", help="for people")
    return made


def main(arguments: list[str]) -> int:
    """Drains a worker; answers the exit status."""
    options = parser().parse_args(arguments)

    async def drained(client: Client) -> WorkerStatus:
        return await client.fleet.drain(options.worker_id, options.reason)

    tell(ask(options.data, drained), options.output)
    return 0


def tell(status: WorkerStatus, output: str) -> None:
    """Prints a worker's state as text or JSON."""
    if output == "json":
        print(documents.write(documents.envelope("worker", documents.plain(status))))
        return
    state = word(device_pb2.WorkerState, status.worker.state)
    print(f"{status.worker.worker_id} is {state}, {status.busy_slots} of {status.worker.slots} slots busy")
