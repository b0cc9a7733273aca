"""`crossfleet schedule resume`: lets a paused schedule go on."""

from __future__ import annotations

import argparse

from crossfleet.api.coordinator.v1 import schedule_service_pb2 as wire
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.reporting import documents
from crossfleet.cli.reporting.schedules import coming
from crossfleet.client import Client


def parser() -> argparse.ArgumentParser:
    """The parser of `schedule resume`."""
    made = command_parser(
        "schedule resume",
        "Lets a paused schedule go on, from its next time on.",
        "  crossfleet schedule resume nightly",
    )
    made.add_argument("name", metavar="NAME")
    return made


def main(arguments: list[str]) -> int:
    """Resumes a schedule; answers the exit status."""
    options = parser().parse_args(arguments)

    async def changed(client: Client) -> wire.Schedule:
        return await client.schedules.resume(options.name)

    found = ask(options.data, changed, history=True)
    if options.output == "json":
        print(documents.write(documents.envelope("schedule", documents.plain(found))))
    else:
        print(f"{found.name}: next {coming(found)}")
    return 0
