"""`crossfleet durations`: what a fleet has learnt of durations, to a file and from one."""

from __future__ import annotations

import argparse
from pathlib import Path

from crossfleet.api.coordinator.v1.run_service_pb2 import History
from crossfleet.cli import exits
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.durations import file
from crossfleet.cli.durations.measured import steadied
from crossfleet.cli.running.report_files import check_writable
from crossfleet.cli.running.spec import suite_name
from crossfleet.client import Client


def parser() -> argparse.ArgumentParser:
    """The parser of `durations`."""
    made = command_parser(
        "durations",
        "Writes what the fleet has learnt of how long a suite's cases take to a file, or teaches the fleet a file (each "
        "case counts as one more execution). `crossfleet run --durations FILE` uses a file for one run.",
        "  crossfleet durations export durations.json\n  crossfleet durations import durations.json --suite web",
        output=False,
    )
    made.add_argument("action", choices=("export", "import"))
    made.add_argument("file", metavar="FILE", help="JSON; import reads pytest-split's files too")
    made.add_argument("--suite", default="", help="the suite's name; default: this folder's, as for `run`")
    made.add_argument("--project", default="", help="the tenant; default `default`")
    made.add_argument("--runner", default="", help="the kind of suite; default `pytest`")
    made.add_argument("--build", default="", metavar="NAME", help="the build that its targets name; default none")
    made.add_argument("--device-class", default="", metavar="CLASS", help="of the targets' first device; default `cpu`")
    return made


def main(arguments: list[str]) -> int:
    """Exports or imports; answers the exit status."""
    options = parser().parse_args(arguments)
    path = Path(options.file)
    history = History(
        project=options.project,
        suite=options.suite or suite_name(Path.cwd()),
        runner=options.runner,
        device_class=options.device_class,
        build=options.build,
    )
    if options.action == "import":
        return _import(options.data, history, path)
    return _export(options.data, history, path)


def _import(data: str, history: History, path: Path) -> int:
    try:
        seconds, wrong = file.read(path)
    except (FileNotFoundError, file.NoDurations) as error:
        why = "there is no such file" if isinstance(error, FileNotFoundError) else error
        raise exits.UsageError(f"{path}: {why}") from None

    async def taught(client: Client) -> None:
        await client.durations.teach(history, seconds)

    ask(data, taught, history=True)
    print(f"{len(seconds)} cases of {history.suite}" + (f"; {wrong} entries are no durations" if wrong else ""))
    return exits.PASSED


def _export(data: str, history: History, path: Path) -> int:
    check_writable("FILE", str(path))

    async def listed(client: Client) -> dict[str, float]:
        return {case.case_id: case.seconds async for case in client.durations.list(history)}

    known = ask(data, listed, history=True)
    if not known:
        raise exits.UsageError(
            f"nothing is known of a suite {history.suite!r}: --suite names another, by default this folder's name"
        )
    file.write(path, steadied(file.read_or_none(path, "FILE"), known))
    print(f"{len(known)} cases of {history.suite} in {path}")
    return exits.PASSED
