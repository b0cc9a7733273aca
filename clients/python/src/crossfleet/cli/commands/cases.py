"""`crossfleet cases`: what became of cases over the last runs."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from crossfleet.api.coordinator.v1 import run_service_pb2 as wire
from crossfleet.cli.amounts import seconds
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.reporting import documents, histories
from crossfleet.cli.reporting.paint import painter
from crossfleet.client import Client

_ORDERS = {
    "": wire.CASE_HISTORY_ORDER_UNSPECIFIED,
    "flaky": wire.CASE_HISTORY_ORDER_FLAKY,
    "failed": wire.CASE_HISTORY_ORDER_FAILED,
    "slowest": wire.CASE_HISTORY_ORDER_SLOWEST,
}
_EXAMPLES = """\
  crossfleet cases --flaky                       what was run again with success, or ended differently on the same files
  crossfleet cases test_login --by slot          one case, worker by worker and slot by slot
  crossfleet cases --failed --since 7d --target gpu
The letters of a row are its last runs, the newest last: . passed, R flaky, F failed, E error, C crashed, T timed out,
s skipped, x expected failure, X unexpected pass. A rate is that of runs which did not simply pass, with its 95 %
interval (Wilson). --by host and --by slot count single executions, those before a rerun too.
"""


def parser() -> argparse.ArgumentParser:
    """The parser of `cases`."""
    made = command_parser("cases", "Says what became of cases over the last runs.", _EXAMPLES)
    made.add_argument("pattern", nargs="?", default="", metavar="PATTERN", help="part of the id, or a pattern with *")
    made.add_argument("--suite", default="", metavar="NAME", help="only suites of this name")
    made.add_argument("--runner", default="", metavar="KIND", help="only runners of this kind")
    made.add_argument("--project", default="", metavar="NAME", help="only this project")
    made.add_argument("--target", default="", metavar="NAME", help="only this target")
    made.add_argument("--host", default="", metavar="WORKER", help="only executions on this worker")
    made.add_argument("--since", type=seconds, default=0.0, metavar="TIME", help="only runs of the last 7d, 12h, ...")
    made.add_argument("--runs", type=_positive, default=0, metavar="N", help="only the last N runs; default 100")
    which = made.add_mutually_exclusive_group()
    for order, text in (
        ("flaky", "only those that passed and failed on the same files, the flakiest first"),
        ("failed", "only those that failed, the most often first"),
        ("slowest", "the slowest first"),
    ):
        which.add_argument(f"--{order}", dest="order", action="store_const", const=order, default="", help=text)
    made.add_argument(
        "--by", choices=("target", "host", "slot"), default="target", help="what a row is; default target"
    )
    made.add_argument("--limit", type=_positive, default=50, metavar="N", help="at most so many cases; default 50")
    made.add_argument("--color", choices=("auto", "always", "never"), default="auto")
    return made


def main(arguments: list[str]) -> int:
    """Shows histories; answers the exit status."""
    options = parser().parse_args(arguments)
    request = _request(options)

    async def listed(client: Client) -> tuple[Sequence[wire.CaseHistory], int]:
        return await client.runs.case_history(request, options.limit)

    cases, runs = ask(options.data, listed, history=True)
    if options.output == "json":
        print(documents.write(documents.envelope("cases", [documents.plain(case) for case in cases])))
    elif cases:
        paint = painter(options.color)
        by_place = options.by != "target"
        shown = histories.by_place(cases, paint, slots=options.by == "slot") if by_place else ""
        print(shown or histories.by_target(cases, paint))
        more = f"; --limit {2 * options.limit} shows more" if len(cases) == options.limit else ""
        print(f"\n{len(cases)} case{'s' * (len(cases) > 1)} in the last {runs} run{'s' * (runs > 1)}{more}")
    else:
        print(f"no {options.order or 'such'} cases" if options.order != "slowest" else "no cases")
    return 0


def _request(options: argparse.Namespace) -> wire.ListCaseHistoryRequest:
    return wire.ListCaseHistoryRequest(
        project=options.project,
        suite=options.suite,
        runner=options.runner,
        pattern=options.pattern,
        target=options.target,
        worker_id=options.host,
        since=Timestamp(seconds=int(time.time() - options.since)) if options.since else None,
        max_runs=options.runs,
        order=_ORDERS[options.order],
        page_size=min(options.limit, 1000),
    )


def _positive(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no count: give a whole number from 1")
    return int(text)
