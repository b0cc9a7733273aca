"""`crossfleet stacks`: what the running cases of a run are doing."""

from __future__ import annotations

import argparse

from crossfleet.api.coordinator.v1 import inspection_service_pb2 as wire
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.exits import UsageError
from crossfleet.cli.reporting import documents
from crossfleet.cli.reporting.stacks import inspected
from crossfleet.client import Client


def parser() -> argparse.ArgumentParser:
    """The parser of `stacks`."""
    made = command_parser(
        "stacks",
        "Shows what the cases that run now are doing: stacks of all threads and of children. The cases go on meanwhile.",
        "  crossfleet stacks run-01j...\n  crossfleet stacks run-01j... tests/test_a.py::test_hangs --target gpu",
    )
    made.add_argument("run_id", metavar="RUN")
    made.add_argument("case_id", metavar="CASE", nargs="?", default="", help="only this case; default: all that run")
    made.add_argument("--target", default="", metavar="NAME", help="only this target")
    made.add_argument(
        "--most", type=_most, default=16, metavar="N", help="at most so many, those that have run longest; default 16"
    )
    return made


def main(arguments: list[str]) -> int:
    """Shows stacks; answers the exit status."""
    options = parser().parse_args(arguments)

    async def looked(client: Client) -> wire.InspectCasesResponse:
        return await client.inspection.cases(
            options.run_id, target=options.target, case_id=options.case_id, stacks=True, most=options.most
        )

    found = ask(options.data, looked)
    if options.output == "json":
        print(documents.write(documents.envelope("running_cases", documents.plain(found))))
        return 0
    if not found.cases and options.case_id:
        raise UsageError(f"{options.case_id} does not run now; `crossfleet stacks {options.run_id}` shows what does")
    print("\n\n".join(map(inspected, found.cases)) or "no case runs now")
    if found.left_out:
        print(f"\nand {found.left_out} more: --most N shows more, CASE a certain one")
    for worker in found.silent_worker_ids:
        print(f"worker {worker} did not answer")
    return 0


def _most(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) <= 100:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number from 1 to 100")
    return int(text)
