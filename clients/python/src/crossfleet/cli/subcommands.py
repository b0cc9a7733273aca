"""Commands that only hold other commands: `crossfleet admin backup`, `crossfleet scheduler check`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from importlib import import_module

from crossfleet.cli import exits


def parser(name: str, description: str, commands: Mapping[str, str]) -> argparse.ArgumentParser:
    """The parser of `name`, without its commands' own options. `commands`: name -> one line of help."""
    width = max(map(len, commands))
    made = argparse.ArgumentParser(
        prog=f"crossfleet {name}",
        description=description,
        epilog="commands:\n" + "\n".join(f"  {each:<{width}}  {text}" for each, text in commands.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("command", metavar="COMMAND", help=f"`crossfleet {name} COMMAND --help` tells more")
    return made


def run(package: str, made: argparse.ArgumentParser, commands: Mapping[str, str], arguments: Sequence[str]) -> int:
    """Runs one of the commands, a module of `package` each; answers the exit status. Raises UsageError."""
    if not arguments or arguments[0] in ("-h", "--help"):
        made.print_help()
        return exits.PASSED if arguments else exits.USAGE
    name, rest = arguments[0], list(arguments[1:])
    if name not in commands:
        raise exits.UsageError(f"there is no command {name!r}: {', '.join(commands)}")
    return int(import_module(f"{package}.{name}").main(rest))
