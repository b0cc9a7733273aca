"""`crossfleet devices`: what the workers of a fleet have, and what an administrator says of it."""

from __future__ import annotations

import argparse

from crossfleet.cli import subcommands

COMMANDS: dict[str, str] = {
    "list": "list the devices of all workers",
    "override": "say what a device is like instead of its detector, hide it from work, or take that back",
}
"""Name of a module of this package -> one line of help."""


def parser() -> argparse.ArgumentParser:
    """The parser of `devices`, without its commands' own options."""
    return subcommands.parser("devices", "What the workers of a fleet have.", COMMANDS)


def main(arguments: list[str]) -> int:
    """Runs one of the commands; answers the exit status."""
    return subcommands.run(__name__, parser(), COMMANDS, arguments)
