"""`crossfleet scheduler`: for those who write a scheduler of their own."""

from __future__ import annotations

import argparse

from crossfleet.cli import subcommands

COMMANDS: dict[str, str] = {
    "check": "play the coordinator against a scheduler and judge its plans",
}
"""Name of a module of this package -> one line of help."""


def parser() -> argparse.ArgumentParser:
    """The parser of `scheduler`, without its commands' own options."""
    return subcommands.parser("scheduler", "For those who write a scheduler of their own.", COMMANDS)


def main(arguments: list[str]) -> int:
    """Runs one of the commands; answers the exit status."""
    return subcommands.run(__name__, parser(), COMMANDS, arguments)
