"""Writes docs/pytest-options.md from the table: `python -m crossfleet.cli.pytest_options.page`.

With `--check` it writes nothing and exits 1 when the page is not current.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from crossfleet.cli.pytest_options.option import Option, Treatment, Value
from crossfleet.cli.pytest_options.table import TABLE
from crossfleet.foundation.pages import keep

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
_RULES = """
Taken-over options that stand in `addopts` of the project's settings, or in `PYTEST_ADDOPTS`, mean the same as on the command line, which wins over them;
`crossfleet run --maxfail` and `--keep-going` win over both. Refused options that stand there are passed over.

**How far `-x` overshoots.** The slot that sees the failure begins nothing more. Neither do the other slots of its worker, as soon as its shim has read the
failure: a few milliseconds. Slots of other workers begin what they can within one round trip (worker, commit, worker); such a failure does not wait for other
results. Cases that run when the order to stop arrives are interrupted and end as `not_run`. With `--maxfail N` a worker waits in this way after N failures of its own.

**What stays together.** `--dist loadfile`, `loadscope` (methods by class, functions by file) and `loadgroup` (`@pytest.mark.xdist_group`, also without
xdist) keep a group on one slot, in its order; after a crash the rest of it goes on together. The mark means nothing without `loadgroup`. `load`, `worksteal`
and `no` are the default. `-n 0` runs the whole suite on one slot, in order: as plain pytest would, but for a crash.

**Pytest's cache.** In place, `pytest --lf` and `crossfleet run -- pytest --lf` know the same failures, whoever ran them: the sessions of a run merge what they
learned, and a case that failed on any target has failed. `--ff` and `--nf` give out first what they ask for. `--sw` runs in order on one slot. Copied workspaces
(other hosts, `--isolated`) bring no cache: a note says so, and all cases run.
"""


def page(table: Iterable[Option] = TABLE) -> str:
    """The page as Markdown."""
    parts = [_INTRODUCTION]
    parts += [f"| *{treatment.value}* | {_MEANINGS[treatment]} |\n" for treatment in Treatment]
    parts.append(_RULES)
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
    """Writes or checks the page."""
    return keep(PAGE, page, "tools/pytest_options", argv)


if __name__ == "__main__":
    sys.exit(main())
