"""`crossfleet schedule pause`: lets a schedule rest."""

from __future__ import annotations

import argparse

from crossfleet.cli.commands.schedule.changing import change, parser_of


def parser() -> argparse.ArgumentParser:
    """The parser of `schedule pause`."""
    return parser_of(
        "pause", "Lets the times of a schedule pass; its open run goes on, what waits for its turn is dropped."
    )


def main(arguments: list[str]) -> int:
    """Pauses a schedule; answers the exit status."""
    options = parser().parse_args(arguments)
    return change(options, lambda client, name: client.schedules.pause(name), lambda _: "paused")
