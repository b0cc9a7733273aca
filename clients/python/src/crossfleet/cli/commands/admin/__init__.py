"""`crossfleet admin`: backups, restores and what else those need who look after a fleet."""

from __future__ import annotations

import argparse

from crossfleet.cli import subcommands

COMMANDS: dict[str, str] = {
    "backup": "write all that a fleet has committed to a file, while it works",
    "restore": "fill an empty data folder or database from a backup",
    "election": "`election reset`: let the winner of a new or restored etcd cluster lead",
    "semaphore": "list, set or remove the counters that slots hold a part of, such as seats of a licence",
    "quota": "list, set or remove the most that a project holds and runs at a time",
    "priority": "list, set or remove the classes of runs that go before others, and may take slots from them",
    "retention": "show how long things are kept, and what would go now",
}
"""Name of a module of this package -> one line of help."""


def parser() -> argparse.ArgumentParser:
    """The parser of `admin`, without its commands' own options."""
    return subcommands.parser("admin", "For those who look after a fleet.", COMMANDS)


def main(arguments: list[str]) -> int:
    """Runs one of the commands; answers the exit status."""
    return subcommands.run(__name__, parser(), COMMANDS, arguments)
