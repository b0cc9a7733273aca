"""`crossfleet watch`: follows a run until it ends."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from crossfleet.api.types.v1 import run_pb2
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.reporting import documents
from crossfleet.cli.reporting.options import add_loudness, add_report_files, add_style
from crossfleet.cli.running.conclusion import status_of
from crossfleet.cli.running.outputs import Outputs
from crossfleet.cli.running.progress import Progress
from crossfleet.cli.running.results import RunResults, gather
from crossfleet.cli.running.session import REFRESH_SECONDS
from crossfleet.cli.running.settled import LAST_WORDS_SECONDS, sessions_ended
from crossfleet.cli.running.viewing import view_of
from crossfleet.client import Client


def parser() -> argparse.ArgumentParser:
    """The parser of `watch`."""
    made = command_parser(
        "watch",
        "Follows a run until it ends, and reports it as `run` does; the exit status is the run's. "
        "With --output json: one event a line, and no report.",
        "  crossfleet watch run-01j...\n  crossfleet watch run-01j... --output json | jq -c .kind",
    )
    made.add_argument("run_id", metavar="RUN")
    made.add_argument(
        "--after", default="0", metavar="CURSOR", help="only events after this one; default: from the first"
    )
    add_report_files(made)
    add_style(made)
    add_loudness(made)
    return made


def main(arguments: list[str]) -> int:
    """Follows a run; answers its exit status. Ctrl-C ends only the watching."""
    options = parser().parse_args(arguments)
    outputs = Outputs.of(options)

    async def followed(client: Client) -> RunResults:
        run = await client.runs.get(options.run_id)
        if options.output == "json":
            await _print_events(client, run, options.after)
            return RunResults(await client.runs.get(run.run_id), (), {})
        await _show(client, run, options.after, outputs)
        await sessions_ended(client, run.run_id, LAST_WORDS_SECONDS)
        run = await client.runs.get(run.run_id)
        return await gather(client, run, outputs.details_of, properties=outputs.files.shows_properties)

    results = ask(options.data, followed, history=True)
    if options.output == "text":
        outputs.write(results)
    return status_of(results.run, interrupted=False)


async def _print_events(client: Client, run: run_pb2.Run, after: str) -> None:
    events = client.events.watch(after=after, run_id=run.run_id, until_finished=True, tell=_print_note)
    async for event in events:
        document = documents.plain(event) | {"kind": event.WhichOneof("kind")}
        print(json.dumps(document, ensure_ascii=False), flush=True)


def _print_note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def _show(client: Client, run: run_pb2.Run, after: str, outputs: Outputs) -> None:
    """Also while no event comes: a case that hangs makes none."""
    progress = Progress.of(run)
    view = view_of(outputs)

    async def followed() -> None:
        events = client.events.watch(
            after=after, run_id=run.run_id, until_finished=True, executing=True, tell=view.note
        )
        async for event in events:
            for case in progress.take(event):
                view.finished(case, progress.mark(case))

    following = asyncio.ensure_future(followed())
    shown = turns = 0
    try:
        while not following.done():
            await asyncio.wait((following,), timeout=REFRESH_SECONDS)
            view.update(progress)
            for note in (*progress.turns[turns:], *progress.deciders[shown:]):
                view.note(note)
            shown, turns = len(progress.deciders), len(progress.turns)
        following.result()
    finally:
        view.close()
