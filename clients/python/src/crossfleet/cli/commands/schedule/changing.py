"""One change of one schedule, asked for by name: what `schedule pause` and `schedule resume` are."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable

from crossfleet.api.coordinator.v1 import schedule_service_pb2 as wire
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.reporting import documents
from crossfleet.client import Client


def parser_of(command: str, description: str) -> argparse.ArgumentParser:
    """The parser of a command that takes the name of a schedule."""
    made = command_parser(f"schedule {command}", description, f"  crossfleet schedule {command} nightly")
    made.add_argument("name", metavar="NAME")
    return made


def change(
    options: argparse.Namespace,
    call: Callable[[Client, str], Awaitable[wire.Schedule]],
    told: Callable[[wire.Schedule], str],
) -> int:
    """Calls, and prints what has become of the schedule; answers the exit status."""
    found = ask(options.data, lambda client: call(client, options.name), history=True)
    if options.output == "json":
        print(documents.write(documents.envelope("schedule", documents.plain(found))))
    else:
        print(f"{found.name}: {told(found)}")
    return 0
