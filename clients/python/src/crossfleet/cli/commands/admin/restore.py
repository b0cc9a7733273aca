"""`crossfleet admin restore`: a backup into an empty place. The coordinator's own program does it."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from crossfleet.cli import exits
from crossfleet.cli.connecting import command_parser
from crossfleet.cli.fleet import folders


def parser() -> argparse.ArgumentParser:
    """The parser of `admin restore`."""
    made = command_parser(
        "admin restore",
        "Fills an empty data folder, or with --database an empty database, from a backup. The file is checked first. "
        "Takes every setting of the coordinator that will work there, such as --database, --artifacts and --config.",
        "  crossfleet admin restore fleet.backup --data /srv/fleet\n"
        "  crossfleet admin restore fleet.backup --data /srv/c1 --database postgresql+psycopg://fleet@db/fleet",
        output=False,
    )
    made.add_argument("file", metavar="FILE", help="what `crossfleet admin backup` wrote")
    return made


def main(arguments: list[str]) -> int:
    """Restores; answers the exit status."""
    options, settings = parser().parse_known_args(arguments)
    if not Path(options.file).is_file():
        raise exits.UsageError(f"there is no file {options.file}")
    command = [sys.executable, "-P", "-m", "crossfleet.coordinator.restore", options.file]
    return subprocess.run([*command, "--data", folders.data_folder(options.data), *settings], check=False).returncode
