"""`crossfleet admin`: backups, restores and what else those need who look after a fleet."""

from __future__ import annotations

import argparse
from importlib import import_module

from crossfleet.cli import exits

COMMANDS: dict[str, str] = {
    "backup": "write all that a fleet has committed to a file, while it works",
    "restore": "fill an empty data folder or database from a backup",
    "election": "`election reset`: let the winner of a new or restored etcd cluster lead",
    "retention": "show how long things are kept, and what would go now",
}
"""Name of a module of this package -> one line of help."""


def parser() -> argparse.ArgumentParser:
    """The parser of `admin`, without its commands' own options."""
    width = max(map(len, COMMANDS))
    made = argparse.ArgumentParser(
        prog="crossfleet admin",
        description="For those who look after a fleet.",
        epilog="commands:\n" + "\n".join(f"  {name:<{width}}  {text}" for name, text in COMMANDS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("command", metavar="COMMAND", help="`crossfleet admin COMMAND --help` tells more")
    return made


def main(arguments: list[str]) -> int:
    """Runs one of the commands; answers the exit status."""
    if not arguments or arguments[0] in ("-h", "--help"):
        parser().print_help()
        return exits.PASSED if arguments else exits.USAGE
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        raise exits.UsageError(f"there is no command {name!r}: {', '.join(COMMANDS)}")
    return int(import_module(f"{__name__}.{name}").main(rest))
