"""`crossfleet show`: the report of a run, or of one of its cases."""

from __future__ import annotations

import argparse

from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.reporting import documents
from crossfleet.cli.reporting.earlier import earlier_lines
from crossfleet.cli.reporting.failures import case_part
from crossfleet.cli.reporting.options import add_loudness, add_report_files, add_style
from crossfleet.cli.reproduction.finding import id_of
from crossfleet.cli.running.outputs import Outputs
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
    add_report_files(made)
    add_style(made)
    add_loudness(made)
    return made


def main(arguments: list[str]) -> int:
    """Shows a run; answers the exit status."""
    options = parser().parse_args(arguments)
    outputs = Outputs.of(options)

    async def gathered(client: Client) -> RunResults:
        run = await client.runs.get(options.run_id)
        if not options.case:
            return await gather(client, run, outputs.details_of, properties=outputs.files.shows_properties)
        case_id = await id_of(client, run.run_id, options.case, options.target)
        case = await client.runs.case(run.run_id, case_id, target=options.target)
        return RunResults(run, (case,), {(case.target, case.case_index, case.case_id): case.result})

    results = ask(options.data, gathered, history=True)
    if options.output == "json":
        outputs.files.write(results)
        print(documents.write(_document(results, one_case=bool(options.case))))
    elif options.case:
        outputs.files.write(results)
        _print_case(results, outputs)
    else:
        outputs.write(results)
    return 0


def _document(results: RunResults, *, one_case: bool) -> object:
    if not one_case:
        return documents.run_document(results)
    case = results.cases[0]
    return documents.envelope("case", documents.case_document(case, results.detail(case)))


def _print_case(results: RunResults, outputs: Outputs) -> None:
    case = results.cases[0]
    shown = documents.case_document(case)
    for key in ("id", "target", "outcome", "seconds", "worker", "slot", "message"):
        print(f"{key:<8} {shown[key]}")
    detail = results.detail(case)
    if detail is not None and detail.details and case.earlier:
        print(outputs.service.shielded("\n".join(earlier_lines(case, outputs.style.width))))
    print(outputs.service.shielded(case_part(results, case, outputs.paint, outputs.style).text))
