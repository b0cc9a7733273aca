"""`crossfleet watch`: follows a run until it ends."""

from __future__ import annotations

import argparse
import json

from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.reporting import documents
from crossfleet.cli.reporting.paint import painter
from crossfleet.cli.reporting.text import verdict_line
from crossfleet.cli.running.conclusion import status_of
from crossfleet.cli.running.progress import Progress
from crossfleet.cli.running.view import LineView
from crossfleet.client import Client


def parser() -> argparse.ArgumentParser:
    """The parser of `watch`."""
    made = command_parser(
        "watch",
        "Follows a run until it ends; the exit status is the run's. With --output json: one event a line.",
        "  crossfleet watch run-01j...\n  crossfleet watch run-01j... --output json | jq -c .kind",
    )
    made.add_argument("run_id", metavar="RUN")
    made.add_argument(
        "--after", default="0", metavar="CURSOR", help="only events after this one; default: from the first"
    )
    return made


def main(arguments: list[str]) -> int:
    """Follows a run; answers its exit status. Ctrl-C ends only the watching."""
    options = parser().parse_args(arguments)

    async def followed(client: Client) -> int:
        run = await client.runs.get(options.run_id)
        progress = Progress(target.name for target in run.targets)
        view = LineView()
        async for event in client.events.watch(after=options.after, run_id=run.run_id, until_finished=True):
            if options.output == "json":
                document = documents.plain(event) | {"kind": event.WhichOneof("kind")}
                print(json.dumps(document, ensure_ascii=False), flush=True)
                continue
            for case in progress.take(event):
                view.failed(case)
            view.update(progress)
        run = await client.runs.get(options.run_id)
        if options.output == "text":
            print(verdict_line(run, painter("auto")))
        return status_of(run, interrupted=False)

    return ask(options.data, followed, history=True)
