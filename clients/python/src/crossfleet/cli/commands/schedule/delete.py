"""`crossfleet schedule delete`: removes a schedule."""

from __future__ import annotations

import argparse

from crossfleet.cli.connecting import ask, command_parser
from crossfleet.client import Client


def parser() -> argparse.ArgumentParser:
    """The parser of `schedule delete`."""
    made = command_parser(
        "schedule delete",
        "Removes a schedule. Runs that it made stay, an open one goes on.",
        "  crossfleet schedule delete nightly",
        output=False,
    )
    made.add_argument("name", metavar="NAME")
    return made


def main(arguments: list[str]) -> int:
    """Removes a schedule; answers the exit status."""
    options = parser().parse_args(arguments)

    async def deleted(client: Client) -> None:
        await client.schedules.delete(options.name)

    ask(options.data, deleted, history=True)
    print(f"deleted {options.name}")
    return 0
