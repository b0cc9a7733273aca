"""`crossfleet schedule show`: one schedule, its next times, and what it submits."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from crossfleet.api.coordinator.v1 import schedule_service_pb2 as wire
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.reporting import documents
from crossfleet.cli.reporting.schedules import at, coming, policy
from crossfleet.cli.reporting.times import local
from crossfleet.client import Client


def parser() -> argparse.ArgumentParser:
    """The parser of `schedule show`."""
    made = command_parser("schedule show", "Shows a schedule.", "  crossfleet schedule show nightly")
    made.add_argument("name", metavar="NAME")
    return made


def main(arguments: list[str]) -> int:
    """Shows a schedule; answers the exit status."""
    options = parser().parse_args(arguments)

    async def shown(client: Client) -> wire.Schedule:
        return await client.schedules.get(options.name)

    found = ask(options.data, shown, history=True)
    if options.output == "json":
        print(documents.write(documents.envelope("schedule", documents.plain(found))))
        return 0
    for name, text in _lines(found):
        print(f"{name:<10}{text}")
    return 0


def _lines(one: wire.Schedule) -> Iterator[tuple[str, str]]:
    missed, overlap = policy(one)
    yield "schedule", f"{one.name}, made {local(one.created_at)}"
    yield "cron", f"{one.cron} ({one.timezone}), missed: {missed}, overlap: {overlap}"
    yield "runs", one.spec.title
    yield "files", _files(one)
    yield "targets", ", ".join(target.name for target in one.spec.targets) or "default"
    yield "next", coming(one)
    for moment in one.next_times[1:]:
        yield "", at(one, moment)
    for moment in one.waiting_times:
        yield "waits", f"{at(one, moment)}, for the run before to end"
    if one.last_run_id:
        yield "last run", f"{one.last_run_id}, for {at(one, one.last_time)}"
    if one.note:
        yield "note", one.note


def _files(one: wire.Schedule) -> str:
    workspace = one.spec.workspace
    match workspace.WhichOneof("source"):
        case "local_path":
            return f"{workspace.local_path}, as it is then"
        case "manifest_digest":
            return (
                f"as they were when it was made (manifest {workspace.manifest_digest[:12]}, commit {workspace.commit})"
            )
    return "none"
