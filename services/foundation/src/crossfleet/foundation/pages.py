"""Pages of the documentation that are made from code: one command writes a page, or says that it is not current."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path


def keep(page: Path, make: Callable[[], str], command: str, argv: Sequence[str] | None = None) -> int:
    """Write a page; with `--check` only compare it. Answers the exit status: 1 where it is not current.

    `command` makes it. Paths are relative to the repository's root.
    """
    parser = argparse.ArgumentParser(prog=command, description=f"Writes {page}.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the page is not current")
    checks = parser.parse_args(argv).check
    wanted = make()
    if not checks:
        page.parent.mkdir(exist_ok=True)
        page.write_text(wanted)
        return 0
    if page.exists() and page.read_text() == wanted:
        return 0
    print(f"{page} is not current: run {command}", file=sys.stderr)  # noqa: T201
    return 1
