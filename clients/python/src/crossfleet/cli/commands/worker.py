"""`crossfleet worker`: becomes a worker of a fleet elsewhere."""

from __future__ import annotations

import argparse
import os
import sys

from crossfleet.cli.fleet import folders
from crossfleet.cli.parsing import Parser

EXAMPLES = """
examples:
  crossfleet worker --join fleet.example:7400 --token-file token --coordinator-authority ca.pem
  crossfleet worker --join a.example:7400,b.example:7400,c.example:7400 --token-file token
  crossfleet worker --join unix:/run/cf/c.sock --name gpu-1 --slots 4 --label zone=eu

What is not named here (--token-file, --coordinator-authority, --label, --slots, ...) is handed to the worker itself:
`crossfleet worker --join ADDRESS -- --help` lists it.
"""


def parser() -> argparse.ArgumentParser:
    """The parser of `worker`."""
    made = Parser(
        "worker",
        description="Joins a fleet as a worker of this machine.",
        epilog=EXAMPLES,
    )
    made.add_argument(
        "--join", metavar="ADDRESS", required=True, help="a coordinator: HOST:PORT or unix:/PATH; several with commas"
    )
    made.add_argument("--name", default="", help="unique in the fleet; default: the host name")
    made.add_argument(
        "--data", default="", metavar="DIR", help="data folder; the worker's state lies in DIR/workers/NAME"
    )
    return made


def main(arguments: list[str]) -> int:
    """Replaces this process by the worker."""
    options, rest = parser().parse_known_args(arguments)
    name = options.name or os.uname().nodename.split(".")[0]
    command = [sys.executable, "-P", "-m", "crossfleet.worker", "--coordinator", options.join, "--name", name]
    if not any(word == "--state" or word.startswith("--state=") for word in rest):
        command += ["--state", os.path.join(folders.data_folder(options.data), "workers", name)]
    if sys.stderr.isatty() and not any(word.startswith("--log-format") for word in rest):
        command += ["--log-format", "console"]  # somebody reads it
    os.execv(command[0], [*command, *(word for word in rest if word != "--")])  # noqa: S606 - no shell is what is wanted
