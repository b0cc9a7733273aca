"""`crossfleet devices list`: each device of the fleet, who found it and when, and whether it may get work."""

from __future__ import annotations

import argparse

from crossfleet.api.coordinator.v1.fleet_service_pb2 import WorkerStatus
from crossfleet.api.types.v1.device_pb2 import Device
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.reporting import documents
from crossfleet.cli.reporting.devices import ago, said, silent_lines
from crossfleet.cli.reporting.table import shorten, table
from crossfleet.client import Client


def parser() -> argparse.ArgumentParser:
    """The parser of `devices list`."""
    made = command_parser(
        "devices list",
        "Lists the devices of all workers. All attributes of each, as selectors see them: crossfleet workers --devices.",
        "  crossfleet devices list\n  crossfleet devices list --worker gpu-1 --class gpu",
    )
    made.add_argument("--worker", default="", metavar="WORKER", help="only those of one worker")
    made.add_argument("--class", dest="device_class", default="", metavar="CLASS", help="only those of one class")
    return made


def main(arguments: list[str]) -> int:
    """Lists devices; answers the exit status."""
    options = parser().parse_args(arguments)

    async def listed(client: Client) -> list[WorkerStatus]:
        if options.worker:
            return [await client.fleet.worker(options.worker)]
        return [status async for status in client.fleet.workers()]

    workers = ask(options.data, listed)
    found = [
        (status.worker.worker_id, device)
        for status in workers
        for device in status.worker.devices
        if options.device_class in ("", device.device_class)
    ]
    if options.output == "json":
        rows = [{"worker_id": worker, **documents.plain(device)} for worker, device in found]
        print(documents.write(documents.envelope("devices", rows)))
    elif found:
        heads = ("worker", "device", "class", "model", "found by", "seen ago", "conditions", "by an administrator")
        rows_of = [_row(worker, device) for worker, device in found]
        columns = len(heads) if any(row[-1] for row in rows_of) else len(heads) - 1
        print(table(heads[:columns], [row[:columns] for row in rows_of]))
    else:
        print("no devices")
    told = [] if options.output == "json" else [line for status in workers for line in silent_lines(status.worker)]
    if told:
        print("", *told, sep="\n")
    return 0


def _row(worker: str, device: Device) -> tuple[str, ...]:
    model = device.attributes["model"].string_value if "model" in device.attributes else ""
    conditions = ", ".join(device.conditions)
    found = (device.detector, ago(device.probed_at))
    kind = f"{device.device_class}, shareable" if device.shareable else device.device_class
    return worker, device.device_id, kind, shorten(model, 40), *found, conditions, said(device)
