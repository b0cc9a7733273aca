"""`crossfleet schedule list`: schedules, and when they come next."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from crossfleet.api.coordinator.v1 import schedule_service_pb2 as wire
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.reporting import documents
from crossfleet.cli.reporting.schedules import coming
from crossfleet.cli.reporting.table import shorten, table
from crossfleet.client import Client


def parser() -> argparse.ArgumentParser:
    """The parser of `schedule list`."""
    made = command_parser("schedule list", "Lists schedules by name.", "  crossfleet schedule list --output json")
    made.add_argument("--project", default="", help="only this project")
    return made


def main(arguments: list[str]) -> int:
    """Lists schedules; answers the exit status."""
    options = parser().parse_args(arguments)

    async def listed(client: Client) -> Sequence[wire.Schedule]:
        return await client.schedules.list(project=options.project)

    found = ask(options.data, listed, history=True)
    if options.output == "json":
        print(documents.write(documents.envelope("schedules", [documents.plain(one) for one in found])))
    elif found:
        print(table(("schedule", "cron", "next", "last run", "note"), [_row(one) for one in found]))
    else:
        print("no schedules: `crossfleet schedule create NAME --cron '0 3 * * *' -- pytest` makes one")
    return 0


def _row(one: wire.Schedule) -> tuple[str, ...]:
    return one.name, one.cron, coming(one), one.last_run_id, shorten(one.note, 50)
