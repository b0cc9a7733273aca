"""`crossfleet runs`: the runs of a fleet, newest first."""

from __future__ import annotations

import argparse

from crossfleet.api.types.v1 import run_pb2
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.fleet.options import positive
from crossfleet.cli.reporting import documents
from crossfleet.cli.reporting.table import shorten, table
from crossfleet.cli.reporting.times import local, span
from crossfleet.cli.running.view import duration
from crossfleet.client import Client
from crossfleet.foundation.words import word

_STATES = {
    "queued": run_pb2.RUN_STATE_QUEUED,
    "running": run_pb2.RUN_STATE_RUNNING,
    "stopping": run_pb2.RUN_STATE_STOPPING,
    "finished": run_pb2.RUN_STATE_FINISHED,
}


def parser() -> argparse.ArgumentParser:
    """The parser of `runs`."""
    made = command_parser(
        "runs",
        "Lists runs, newest first.",
        "  crossfleet runs --state running\n  crossfleet runs --limit 5 --output json",
    )
    made.add_argument("--state", action="append", default=[], choices=tuple(_STATES), help="only these; repeatable")
    made.add_argument("--project", default="", help="only this project")
    made.add_argument("--limit", type=positive, default=20, metavar="N", help="at most so many; default 20")
    return made


def main(arguments: list[str]) -> int:
    """Lists runs; answers the exit status."""
    options = parser().parse_args(arguments)
    limit: int = options.limit

    async def listed(client: Client) -> list[run_pb2.Run]:
        found: list[run_pb2.Run] = []
        states = [_STATES[name] for name in options.state]
        async for run in client.runs.list(project=options.project, states=states, page_size=min(limit, 1000)):
            found.append(run)
            if len(found) >= limit:
                break
        return found

    runs = ask(options.data, listed, history=True)
    if options.output == "json":
        print(documents.write(documents.envelope("runs", [documents.plain(run) for run in runs])))
    elif runs:
        heads = ("run", "started", "took", "state", "cases", "failed", "title")
        print(table(heads, [_row(run) for run in runs], right=frozenset((2, 4, 5))))
    else:
        print("no runs")
    return 0


def _verdict(run: run_pb2.Run) -> str:
    nothing = run.verdict == run_pb2.RUN_VERDICT_PASSED and not run.counts.total
    return "no tests" if nothing else documents.verdict_word(run)


def _row(run: run_pb2.Run) -> tuple[str, ...]:
    counts = run.counts
    state = word(run_pb2.RunState, run.state)
    failed = counts.failed + counts.errors + counts.crashed + counts.timed_out
    took = span(run.created_at, run.finished_at)
    return (
        run.run_id,
        local(run.created_at),
        duration(took) if took else "",
        _verdict(run) if run.state == run_pb2.RUN_STATE_FINISHED else state,
        str(counts.total),
        str(failed),
        shorten(run.spec.title, 50),
    )
