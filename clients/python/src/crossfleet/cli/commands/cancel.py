"""`crossfleet cancel`: stops a run."""

from __future__ import annotations

import argparse

from crossfleet.api.types.v1 import run_pb2
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.reporting import documents
from crossfleet.client import Client
from crossfleet.foundation.words import word


def parser() -> argparse.ArgumentParser:
    """The parser of `cancel`."""
    made = command_parser(
        "cancel",
        "Stops a run: nothing new is placed, running cases are ended, results so far are kept.",
        "  crossfleet cancel run-01j... --reason 'wrong branch'",
    )
    made.add_argument("run_id", metavar="RUN")
    made.add_argument("--reason", default="cancelled from the command line", help="kept as the cause")
    return made


def main(arguments: list[str]) -> int:
    """Cancels a run; answers the exit status."""
    options = parser().parse_args(arguments)

    async def cancelled(client: Client) -> run_pb2.Run:
        return await client.runs.cancel(options.run_id, options.reason)

    run = ask(options.data, cancelled)
    if options.output == "json":
        print(documents.write(documents.envelope("run", documents.plain(run))))
    else:
        print(f"{run.run_id} is {word(run_pb2.RunState, run.state)}")
    return 0
