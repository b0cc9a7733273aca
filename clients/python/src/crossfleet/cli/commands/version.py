"""`crossfleet version`: what is installed."""

from __future__ import annotations

import argparse
import json
import platform
from importlib import metadata

from crossfleet.cli.parsing import Parser

DISTRIBUTIONS = (
    "crossfleet-client",
    "crossfleet-foundation",
    "crossfleet-protos",
    "crossfleet-coordinator",
    "crossfleet-scheduler",
    "crossfleet-slurm",
    "crossfleet-worker",
    "crossfleet-integrations",
)


def parser() -> argparse.ArgumentParser:
    """The parser of `version`."""
    made = Parser("version", "Prints versions.")
    made.add_argument("--output", choices=("text", "json"), default="text", help="default: text")
    return made


def main(arguments: list[str]) -> int:
    """Prints versions; answers the exit status."""
    options = parser().parse_args(arguments)
    found = installed()
    if options.output == "json":
        print(json.dumps({"schema": 1, "version": found["crossfleet-client"], "parts": found}, indent=2))
        return 0
    print(f"crossfleet {found['crossfleet-client']} (Python {platform.python_version()})")
    for name, version in found.items():
        print(f"  {name:<24} {version or 'not installed'}")
    return 0


def installed() -> dict[str, str]:
    """Each part and its version; empty for those that are not installed."""
    found: dict[str, str] = {}
    for name in DISTRIBUTIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = ""
    return found
