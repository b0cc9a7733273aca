"""`crossfleet clean`: removes caches and old logs of a data folder."""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import asdict

from crossfleet.cli import exits
from crossfleet.cli.amounts import seconds, size
from crossfleet.cli.connecting import command_parser
from crossfleet.cli.fleet import fleetfile, folders
from crossfleet.cli.housekeeping.caches import Entry, choose, entries, remove
from crossfleet.cli.reporting import documents


def parser() -> argparse.ArgumentParser:
    """The parser of `clean`."""
    made = command_parser(
        "clean",
        "Removes built environments, cached files of workspaces, logs of services and of runs. Caches are made again when "
        "needed; runs and their results stay.",
        "  crossfleet clean --dry-run\n  crossfleet clean --older-than 7d --larger-than 1GB",
    )
    made.add_argument(
        "--older-than", type=seconds, default=None, metavar="TIME", help="only what was not used for so long"
    )
    made.add_argument(
        "--larger-than", type=size, default=None, metavar="SIZE", help="the longest unused, until so much is left"
    )
    made.add_argument("--dry-run", action="store_true", help="say what would go, remove nothing")
    return made


def main(arguments: list[str]) -> int:
    """Cleans a data folder; answers the exit status."""
    options = parser().parse_args(arguments)
    data = folders.data_folder(options.data)
    chosen = choose(entries(data), time.time(), options.older_than, options.larger_than) if os.path.isdir(data) else []
    status = exits.PASSED
    removed: list[Entry] = []
    if chosen and not options.dry_run:
        lock = fleetfile.take_lock(data)
        if lock is None:
            raise exits.UsageError(f"a fleet uses {data}: end it first, or look with --dry-run")
        removed, status = _remove(chosen)
    if options.output == "json":
        content = {"dry_run": options.dry_run, "entries": [asdict(entry) for entry in chosen]}
        print(documents.write(documents.envelope("clean", content)))
        return status
    for entry in chosen if options.dry_run else removed:
        print(f"{entry.kind:<12} {entry.size_bytes / 1e6:9.1f} MB  {entry.path}")
    total = sum(entry.size_bytes for entry in (chosen if options.dry_run else removed))
    print(f"{total / 1e6:.1f} MB {'would go' if options.dry_run else 'freed'}")
    return status


def _remove(chosen: list[Entry]) -> tuple[list[Entry], int]:
    removed: list[Entry] = []
    status = exits.PASSED
    for entry in chosen:
        try:
            remove(entry)
            removed.append(entry)
        except OSError as error:
            print(f"crossfleet clean: {entry.path}: {error.strerror}", file=sys.stderr)
            status = exits.FAILED
    return removed, status
