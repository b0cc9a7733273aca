"""Parsers of command lines, which tell what is wrong in a line: what was probably meant, and where more is told."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable
from typing import NoReturn

from crossfleet.cli import exits

_UNKNOWN = "unrecognized arguments: "
_MISSING = "the following arguments are required: "
_CHOICE = re.compile(r"invalid choice: '(?P<given>[^']*)' \(choose from (?P<known>.*)\)$")
_WORD = re.compile(r"[^', ]+")
_LISTED = {"RUN": "runs", "WORKER": "workers"}
"""What a command wants -> the command that lists them."""


class _Help(argparse.RawDescriptionHelpFormatter):
    """A description of one line is as wide as the terminal; what has lines keeps them."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        import textwrap

        return super()._fill_text(text, width, indent) if "\n" in text.strip() else textwrap.fill(text.strip(), width)


class Parser(argparse.ArgumentParser):
    """The parser of `crossfleet NAME`: options are written out, and the epilog keeps its lines."""

    def __init__(self, name: str, description: str, epilog: str | None = None) -> None:
        super().__init__(
            prog=f"crossfleet {name}",
            description=description,
            epilog=epilog,
            formatter_class=_Help,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Ends the process with status 2 and a line."""
        if message.startswith(_UNKNOWN):
            message = self._unknown(message.removeprefix(_UNKNOWN))
        elif message.startswith(_MISSING):
            message = _missing(message.removeprefix(_MISSING))
        elif choice := _CHOICE.search(message):
            message += _near(choice["given"], _WORD.findall(choice["known"]))
        stop = "" if message.endswith("?") else "."
        self.exit(exits.USAGE, f"{self.prog}: {message}{stop} `{self.prog} --help` tells more.\n")

    def _unknown(self, words: str) -> str:
        name = words.partition(" ")[0].partition("=")[0]
        if not name.startswith("-"):
            return f"{words or repr(words)}: nothing more is expected there"
        return f"there is no option {name}{_near(name, self._option_string_actions)}"


def _near(name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), 1)
    return f". Did you mean {near[0]}?" if near else ""


def _missing(names: str) -> str:
    listed = next((f" (`crossfleet {command}` lists them)" for name, command in _LISTED.items() if name in names), "")
    return f"missing: {names}{listed}"
