"""`crossfleet workers`: who can work, on what, and with what in hand."""

from __future__ import annotations

import argparse

from crossfleet.api.coordinator.v1.fleet_service_pb2 import GetFleetResponse, WorkerStatus
from crossfleet.api.types.v1 import device_pb2
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.reporting import documents
from crossfleet.cli.reporting.devices import device_lines, silent_lines
from crossfleet.cli.reporting.health import health_lines, out
from crossfleet.cli.reporting.table import shorten, table
from crossfleet.cli.reporting.times import local
from crossfleet.client import Client
from crossfleet.foundation.words import word


def parser() -> argparse.ArgumentParser:
    """The parser of `workers`."""
    made = command_parser(
        "workers",
        "Lists the workers of a fleet, says which coordinator leads it, and of those that are doubted or out why and since when.",
        "  crossfleet workers\n  crossfleet workers --quarantined\n  crossfleet workers --devices --output json",
    )
    made.add_argument("--quarantined", action="store_true", help="only those that are out, or have devices that are")
    made.add_argument(
        "--all", action="store_true", help="also those that left in good order, while they are remembered"
    )
    made.add_argument("--devices", action="store_true", help="each device with its attributes, as selectors see them")
    return made


def main(arguments: list[str]) -> int:
    """Lists workers; answers the exit status."""
    options = parser().parse_args(arguments)

    async def listed(client: Client) -> tuple[GetFleetResponse, list[WorkerStatus]]:
        return await client.fleet.summary(), [status async for status in client.fleet.workers()]

    fleet, workers = ask(options.data, listed)
    shown = [status for status in workers if _is_shown(status, options)]
    if options.output == "json":
        document = documents.envelope("workers", [documents.plain(each) for each in shown])
        leader = {"address": fleet.leader_address, "epoch": fleet.epoch}
        print(documents.write(document | {"leader": leader}))
        return 0
    if not shown:
        print("no worker is quarantined" if options.quarantined else "no workers")
    else:
        _print_table(shown, devices=options.devices)
    left = 0 if options.all or options.quarantined else sum(status.has_left for status in workers)
    if left:
        print(f"\n{left} left in good order, and {'is' if left == 1 else 'are'} not shown: crossfleet workers --all")
    if fleet.leader_address:
        print(f"\nled by {fleet.leader_address}, epoch {fleet.epoch}")
    return 0


def _is_shown(status: WorkerStatus, options: argparse.Namespace) -> bool:
    return out(status) if options.quarantined else options.all or not status.has_left


def _print_table(workers: list[WorkerStatus], *, devices: bool) -> None:
    heads = ("worker", "state", "slots", "busy", "cores", "devices", "labels", "last seen")
    rows = [_row(status) for status in workers]
    columns = len(heads) if any(row[-1] for row in rows) else len(heads) - 1
    print(table(heads[:columns], [row[:columns] for row in rows], right=frozenset((2, 3, 4))))
    told = [line for status in workers for line in (*health_lines(status), *silent_lines(status.worker))]
    if told:
        print("", *told, sep="\n")
    for status in workers if devices else ():
        for device in status.worker.devices:
            print("", *device_lines(status.worker.worker_id, device), sep="\n")


def _row(status: WorkerStatus) -> tuple[str, ...]:
    worker = status.worker
    state = "left" if status.has_left else word(device_pb2.WorkerState, worker.state)
    taints = f" ({', '.join(worker.taints)})" if worker.taints else ""
    return (
        worker.worker_id,
        state + taints,
        str(worker.slots),
        str(status.busy_slots),
        f"{worker.cpu_cores:.3g}",
        shorten(", ".join(device.device_id for device in worker.devices), 40),
        shorten(", ".join(f"{key}={worker.labels[key]}" for key in sorted(worker.labels)), 40),
        local(status.gone_at if status.HasField("gone_at") else worker.last_seen_at),
    )
