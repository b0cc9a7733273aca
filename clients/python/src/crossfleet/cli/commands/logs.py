"""`crossfleet logs`: what a run's processes wrote and no capture took; or what one case printed."""

from __future__ import annotations

import argparse
import json
import sys

from crossfleet.api.coordinator.v1 import log_service_pb2
from crossfleet.api.types.v1 import result_pb2
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.exits import UsageError
from crossfleet.cli.reporting.text import outcome_word
from crossfleet.cli.reproduction.finding import id_of
from crossfleet.cli.running.tail import CaseTail
from crossfleet.client import Client
from crossfleet.foundation.words import word


def parser() -> argparse.ArgumentParser:
    """The parser of `logs`."""
    made = command_parser(
        "logs",
        "Prints what the processes of a run wrote. What pytest captured of one case is printed with --case, also while it runs.",
        "  crossfleet logs run-01j... --follow\n  crossfleet logs run-01j... --worker gpu-1 --target cuda\n"
        "  crossfleet logs run-01j... --case tests/test_a.py::test_slow --follow",
    )
    made.add_argument("run_id", metavar="RUN")
    made.add_argument("--target", default="", metavar="NAME", help="only this target")
    made.add_argument("--worker", default="", metavar="NAME", help="only this worker")
    made.add_argument(
        "--case", default="", metavar="ID", help="what was captured of this case instead; the end of its id will do"
    )
    made.add_argument("-f", "--follow", action="store_true", help="go on until the run, or the case, ends")
    return made


def main(arguments: list[str]) -> int:
    """Prints logs; answers the exit status."""
    options = parser().parse_args(arguments)
    if options.case:
        return _print_case(options)

    async def printed(client: Client) -> bool:
        run = await client.runs.get(options.run_id)  # names a wrong id, where an empty log would say nothing
        _check_target(options.target, [target.name for target in run.targets])
        chunks = client.logs.read(
            options.run_id, target=options.target, worker_id=options.worker, follow=options.follow
        )
        something = False
        async for chunk in chunks:
            something = True
            _print(chunk, as_json=options.output == "json")
        return something

    if not ask(options.data, printed, history=True):
        where = f" on worker {options.worker}" if options.worker else ""
        hint = "--case ID has what pytest captured of a case"
        print(f"crossfleet logs: nothing is kept of what processes wrote{where}; {hint}", file=sys.stderr)
    return 0


def _check_target(name: str, known: list[str]) -> None:
    """Raises UsageError for one that the run does not have."""
    if name and name not in known:
        raise UsageError(f"--target {name}: the run has {', '.join(known) or 'no targets'}")


def _print_case(options: argparse.Namespace) -> int:
    if options.worker or options.output == "json":
        raise UsageError(
            "--case goes with neither --worker nor --output json; `crossfleet show --output json` has its output"
        )

    async def printed(client: Client) -> result_pb2.CaseRecord:
        named = await id_of(client, options.run_id, options.case, options.target)
        return await CaseTail(client, options.run_id, named, options.target, _write).print(follow=options.follow)

    case = ask(options.data, printed, history=True)
    if not case.outcome:
        print(f"{case.case_id} has no verdict yet; --follow goes on until it has", file=sys.stderr)
    else:
        print(f"{case.case_id}: {outcome_word(case.outcome)}", file=sys.stderr)
    return 0


def _write(stream: str, content: bytes) -> None:
    out = sys.stderr if stream == "stderr" else sys.stdout
    out.flush()
    out.buffer.write(content)
    out.buffer.flush()


def _print(chunk: log_service_pb2.LogChunk, *, as_json: bool) -> None:
    if as_json:
        document = {
            "target": chunk.target,
            "worker": chunk.worker_id,
            "slot": chunk.slot,
            "stream": word(log_service_pb2.LogStream, chunk.stream),
            "unix_seconds": chunk.unix_seconds,
            "content": chunk.content.decode("utf-8", "backslashreplace"),
        }
        print(json.dumps(document, ensure_ascii=False), flush=True)
        return
    # Bytes as they were written: what a test prints need not be text.
    _write("stderr" if chunk.stream == log_service_pb2.LOG_STREAM_STDERR else "stdout", chunk.content)
