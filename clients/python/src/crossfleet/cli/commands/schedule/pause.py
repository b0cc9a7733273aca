"""`crossfleet schedule pause`: lets a schedule rest."""

from __future__ import annotations

import argparse

from crossfleet.api.coordinator.v1 import schedule_service_pb2 as wire
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.reporting import documents
from crossfleet.client import Client


def parser() -> argparse.ArgumentParser:
    """The parser of `schedule pause`."""
    made = command_parser(
        "schedule pause",
        "Lets the times of a schedule pass; its open run goes on, what waits for its turn is dropped.",
        "  crossfleet schedule pause nightly",
    )
    made.add_argument("name", metavar="NAME")
    return made


def main(arguments: list[str]) -> int:
    """Pauses a schedule; answers the exit status."""
    options = parser().parse_args(arguments)

    async def changed(client: Client) -> wire.Schedule:
        return await client.schedules.pause(options.name)

    found = ask(options.data, changed, history=True)
    if options.output == "json":
        print(documents.write(documents.envelope("schedule", documents.plain(found))))
    else:
        print(f"{found.name}: paused")
    return 0
