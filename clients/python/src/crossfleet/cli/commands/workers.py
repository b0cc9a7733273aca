"""`crossfleet workers`: who can work, on what, and with what in hand."""

from __future__ import annotations

import argparse

from crossfleet.api.coordinator.v1.fleet_service_pb2 import GetFleetResponse, WorkerStatus
from crossfleet.api.types.v1 import device_pb2
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.reporting import documents
from crossfleet.cli.reporting.devices import device_lines
from crossfleet.cli.reporting.health import health_lines, out
from crossfleet.cli.reporting.table import shorten, table
from crossfleet.cli.reporting.times import local
from crossfleet.client import Client


def parser() -> argparse.ArgumentParser:
    """The parser of `workers`."""
    made = command_parser(
        "workers",
        "Lists the workers of a fleet, says which coordinator leads it, and of those that are doubted or out why and since when.",
        "  crossfleet workers\n  crossfleet workers --quarantined\n  crossfleet workers --devices --output json",
    )
    made.add_argument("--quarantined", action="store_true", help="only those that are out, or have devices that are")
    made.add_argument("--devices", action="store_true", help="each device with its attributes, as selectors see them")
    return made


def main(arguments: list[str]) -> int:
    """Lists workers; answers the exit status."""
    options = parser().parse_args(arguments)

    async def listed(client: Client) -> tuple[GetFleetResponse, list[WorkerStatus]]:
        return await client.fleet.summary(), [status async for status in client.fleet.workers()]

    fleet, workers = ask(options.data, listed)
    if options.quarantined:
        workers = [status for status in workers if out(status)]
    if options.output == "json":
        document = documents.envelope("workers", [documents.plain(each) for each in workers])
        leader = {"address": fleet.leader_address, "epoch": fleet.epoch}
        print(documents.write(document | {"leader": leader}))
        return 0
    if not workers:
        print("no worker is quarantined" if options.quarantined else "no workers")
    else:
        _print_table(workers, devices=options.devices)
    if fleet.leader_address:
        print(f"\nled by {fleet.leader_address}, epoch {fleet.epoch}")
    return 0


def _print_table(workers: list[WorkerStatus], *, devices: bool) -> None:
    heads = ("worker", "state", "slots", "busy", "cores", "devices", "labels", "last seen")
    rows = [_row(status) for status in workers]
    columns = len(heads) if any(row[-1] for row in rows) else len(heads) - 1
    print(table(heads[:columns], [row[:columns] for row in rows], right=frozenset((2, 3, 4))))
    told = [line for status in workers for line in health_lines(status)]
    if told:
        print("", *told, sep="\n")
    for status in workers if devices else ():
        for device in status.worker.devices:
            print("", *device_lines(status.worker.worker_id, device), sep="\n")


def _row(status: WorkerStatus) -> tuple[str, ...]:
    worker = status.worker
    state = device_pb2.WorkerState.Name(worker.state).removeprefix("WORKER_STATE_").lower()
    taints = f" ({', '.join(worker.taints)})" if worker.taints else ""
    return (
        worker.worker_id,
        state + taints,
        str(worker.slots),
        str(status.busy_slots),
        f"{worker.cpu_cores:.3g}",
        shorten(", ".join(device.device_id for device in worker.devices), 40),
        shorten(", ".join(f"{key}={worker.labels[key]}" for key in sorted(worker.labels)), 40),
        local(worker.last_seen_at),
    )
