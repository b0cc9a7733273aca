"""`crossfleet scheduler`: for those who write a scheduler of their own."""

from __future__ import annotations

import argparse
from importlib import import_module

from crossfleet.cli import exits

COMMANDS: dict[str, str] = {
    "check": "play the coordinator against a scheduler and judge its plans",
}
"""Name of a module of this package -> one line of help."""


def parser() -> argparse.ArgumentParser:
    """The parser of `scheduler`, without its commands' own options."""
    width = max(map(len, COMMANDS))
    made = argparse.ArgumentParser(
        prog="crossfleet scheduler",
        description="For those who write a scheduler of their own.",
        epilog="commands:\n" + "\n".join(f"  {name:<{width}}  {text}" for name, text in COMMANDS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("command", metavar="COMMAND", help="`crossfleet scheduler COMMAND --help` tells more")
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
