"""Writes docs/pytest-options.md from the table: `python -m crossfleet.cli.pytest_options.page`.

With `--check` it writes nothing and exits 1 when the page is not current.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from crossfleet.cli.pytest_options.option import Option, Treatment, Value
from crossfleet.cli.pytest_options.table import TABLE

PAGE = Path("docs/pytest-options.md")
_VALUES = {Value.NONE: "", Value.ONE: " VALUE", Value.TWO: " KEY VALUE", Value.OPTIONAL: " [VALUE]"}
_INTRODUCTION = """\
# Pytest's options on a fleet

<!-- Made by `tools/pytest_options` from crossfleet.cli.pytest_options: change the table there. -->

What becomes of the words after `crossfleet run -- pytest`. Options of other plugins, and those of a `conftest.py`, are passed on.

| | |
|---|---|
"""
_MEANINGS = {
    Treatment.PASSED_ON: "Each worker's pytest gets it as it is, and it means there what it always means.",
    Treatment.TAKEN_OVER: "The fleet does what it asks for, over all slots.",
    Treatment.REWRITTEN: "Each slot gets a value of its own, so that slots do not meet.",
    Treatment.LEFT_OUT: "It says how another tool distributes tests: a note says that it was left out, and why.",
    Treatment.REFUSED: "It cannot work on a fleet: the command ends with status 2 and a hint, before anything is started.",
}
_PROJECT = """
Taken-over options that stand in `addopts` of the project's settings, or in `PYTEST_ADDOPTS`, mean the same as on the command line, which wins over them;
`crossfleet run --maxfail` and `--keep-going` win over both. Refused options that stand there are passed over.
"""


def page(table: Iterable[Option] = TABLE) -> str:
    """The page as Markdown."""
    parts = [_INTRODUCTION]
    parts += [f"| *{treatment.value}* | {_MEANINGS[treatment]} |\n" for treatment in Treatment]
    parts.append(_PROJECT)
    for plugin, options in groupby(table, key=lambda option: option.plugin):
        of_plugin = list(options)
        parts.append(f"\n## {plugin}\n")
        if told := [option for option in of_plugin if option.says]:
            parts.append("\n| option | | what happens |\n|---|---|---|\n")
            parts += [f"| {_names(option)} | {option.treatment.value} | {option.says} |\n" for option in told]
        if plain := [option for option in of_plugin if not option.says]:
            parts.append(f"\nPassed on: {', '.join(map(_names, plain))}.\n")
    return "".join(parts)


def _names(option: Option) -> str:
    return ", ".join(f"`{name}{_VALUES[option.value]}`" for name in option.names)


def main(argv: list[str] | None = None) -> int:
    """Writes or checks the page; the path is relative to the repository's root."""
    parser = argparse.ArgumentParser(prog="python -m crossfleet.cli.pytest_options.page", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the page is not current")
    if not parser.parse_args(argv).check:
        PAGE.write_text(page())
        return 0
    if PAGE.exists() and PAGE.read_text() == page():
        return 0
    print(f"{PAGE} is not current: run tools/pytest_options", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
