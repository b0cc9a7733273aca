"""`crossfleet scheduler`: how schedulers stand, and whether one keeps to the protocol."""

from __future__ import annotations

import argparse

from crossfleet.cli import subcommands

COMMANDS: dict[str, str] = {
    "status": "say which schedulers decide, and how their plans fare",
    "check": "play the coordinator against a scheduler and judge its plans",
}
"""Name of a module of this package -> one line of help."""


def parser() -> argparse.ArgumentParser:
    """The parser of `scheduler`, without its commands' own options."""
    return subcommands.parser(
        "scheduler", "How the schedulers of a fleet stand, and for those who write one.", COMMANDS
    )


def main(arguments: list[str]) -> int:
    """Runs one of the commands; answers the exit status."""
    return subcommands.run(__name__, parser(), COMMANDS, arguments)
