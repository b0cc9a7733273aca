"""`crossfleet schedule`: suites that are run again and again, by cron."""

from __future__ import annotations

import argparse

from crossfleet.cli import subcommands

COMMANDS: dict[str, str] = {
    "create": "run a suite by cron, from now on",
    "list": "list schedules and when they come next",
    "show": "show one, and what it submits",
    "pause": "let a schedule rest",
    "resume": "let a paused schedule go on",
    "delete": "remove a schedule; its runs stay",
}
"""Name of a module of this package -> one line of help."""


def parser() -> argparse.ArgumentParser:
    """The parser of `schedule`, without its commands' own options."""
    return subcommands.parser("schedule", "Runs suites again and again, by cron.", COMMANDS)


def main(arguments: list[str]) -> int:
    """Runs one of the commands; answers the exit status."""
    return subcommands.run(__name__, parser(), COMMANDS, arguments)
