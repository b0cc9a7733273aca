"""`crossfleet show`: the report of a run, or of one of its cases."""

from __future__ import annotations

import argparse
from typing import Any

from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.reporting import documents
from crossfleet.cli.reporting.paint import painter
from crossfleet.cli.reporting.text import report
from crossfleet.cli.running.results import RunResults, gather
from crossfleet.client import Client


def parser() -> argparse.ArgumentParser:
    """The parser of `show`."""
    made = command_parser(
        "show",
        "Shows a run as `run` reported it: matrix, slowest cases, failures. With --case: one case with its output.",
        "  crossfleet show run-01j...\n  crossfleet show run-01j... --case tests/test_a.py::test_b --target gpu",
    )
    made.add_argument("run_id", metavar="RUN")
    made.add_argument("--case", default="", metavar="ID", help="only this case, with traceback and captured output")
    made.add_argument("--target", default="", metavar="NAME", help="the target of --case")
    made.add_argument("--junit", default="", metavar="FILE", help="write a JUnit XML report as well")
    made.add_argument("-q", "--quiet", action="count", default=0, help="less")
    made.add_argument("--color", choices=("auto", "always", "never"), default="auto")
    return made


def main(arguments: list[str]) -> int:
    """Shows a run; answers the exit status."""
    options = parser().parse_args(arguments)

    async def gathered(client: Client) -> RunResults:
        run = await client.runs.get(options.run_id)
        if not options.case:
            return await gather(client, run)
        case = await client.runs.case(run.run_id, options.case, target=options.target)
        return RunResults(run, (case,), {(case.target, case.case_index, case.case_id): case.result})

    results = ask(options.data, gathered, history=True)
    if options.junit:
        from pathlib import Path

        from crossfleet.cli.reporting import junit

        junit.write(results, Path(options.junit))
    if options.output == "json":
        print(documents.write(_document(results, one_case=bool(options.case))))
    elif options.case:
        _print_case(results)
    else:
        for part in report(results, painter(options.color), quiet=options.quiet):
            print(part)
    return 0


def _document(results: RunResults, *, one_case: bool) -> object:
    if not one_case:
        return documents.run_document(results)
    case = results.cases[0]
    return documents.envelope("case", documents.case_document(case, results.detail(case)))


def _print_case(results: RunResults) -> None:
    case = results.cases[0]
    shown = documents.case_document(case, results.detail(case))
    for key in ("id", "target", "outcome", "seconds", "worker", "slot", "message"):
        print(f"{key:<8} {shown[key]}")
    for number, one in enumerate(shown.get("earlier", ()), 1):
        place = f" on slot {one['slot']} of {one['worker']}" if one["worker"] else ""
        print(f"\n {one['outcome']} at execution {number}{place} ".center(79, "_"))
        _print_text(one)
    if shown.get("earlier") and shown.get("details"):
        print("\n the execution that counts ".center(79, "_"))
    _print_text(shown)


def _print_text(shown: dict[str, Any]) -> None:
    print(shown.get("details", ""))
    for section in shown.get("sections", ()):
        print(f" {section['title']} ".center(79, "-"))
        print(section["content"])
