"""Commands that only hold other commands: `crossfleet admin backup`, `crossfleet scheduler check`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module

from crossfleet.cli import exits
from crossfleet.cli.parsing import Parser


def parser(name: str, description: str, commands: Mapping[str, str]) -> argparse.ArgumentParser:
    """The parser of `name`, without its commands' own options. `commands`: name -> one line of help."""
    width = max(map(len, commands))
    made = Parser(
        name,
        description=description,
        epilog="commands:\n" + "\n".join(f"  {each:<{width}}  {text}" for each, text in commands.items()),
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
        near = get_close_matches(name, commands, 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise exits.UsageError(f"there is no command {name!r}.{hint} There are {', '.join(commands)}")
    return int(import_module(f"{package}.{name}").main(rest))
