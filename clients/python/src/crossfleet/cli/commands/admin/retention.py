"""`crossfleet admin retention`: how long things are kept, and what would go."""

from __future__ import annotations

import argparse

from crossfleet.api.coordinator.v1.admin_service_pb2 import GetRetentionResponse, RetentionCounts
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.reporting import documents
from crossfleet.cli.reporting.times import local
from crossfleet.client import Client


def parser() -> argparse.ArgumentParser:
    """The parser of `admin retention`."""
    made = command_parser(
        "admin retention",
        "Shows how long a fleet keeps what, what its last pass removed, and what one would remove now. Nothing is removed. "
        "The coordinator's settings `retention.*` say it, such as --retention-days.",
        "  crossfleet admin retention\n  crossfleet admin retention --policy",
    )
    made.add_argument("--policy", action="store_true", help="only the policy: looks through nothing")
    return made


def main(arguments: list[str]) -> int:
    """Shows the policy; answers the exit status."""
    options = parser().parse_args(arguments)

    async def asked(client: Client) -> GetRetentionResponse:
        return await client.admin.retention(count=not options.policy)

    found = ask(options.data, asked, history=True)
    if options.output == "json":
        print(documents.write(documents.envelope("retention", documents.plain(found))))
        return 0
    print(f"finished runs     {_age(found.days, 'days')}" + (f", at most {found.runs} of them" if found.runs else ""))
    print(f"artifacts         {_age(found.artifact_days, 'days', 'as long as their run')}")
    print(f"output of runs    {_age(found.log_days, 'days', 'as long as their run')}")
    print(f"uploads           {found.grace_hours:g} hours, whether or not a run names them")
    print(f"lost workers      {_age(found.lost_worker_hours, 'hours')}; drained or quarantined ones as finished runs")
    print(f"left workers      {_age(found.left_worker_hours, 'hours')}")
    if found.HasField("last"):
        print(f"last pass         {local(found.last_at)}: removed {_counted(found.last)}")
    if found.HasField("next"):
        print(f"would go now      {_counted(found.next)}")
        if found.foreign_store:
            print(
                "                  but the artifact store is another fleet's: nothing goes there (its object `owner` says so)"
            )
        elif found.next.blobs and found.blobs_wait:
            print("                  blobs go once this coordinator has led for an hour")
    return 0


def _age(value: float, unit: str, never: str = "for ever") -> str:
    return f"{value:g} {unit}" if value else never


def _counted(counts: RetentionCounts) -> str:
    parts = [
        f"{number} {name}"
        for number, name in (
            (counts.runs, "runs"),
            (counts.cases, "cases of them"),
            (counts.artifacts, "artifacts"),
            (counts.logs, "runs' output"),
            (counts.blobs, f"blobs ({counts.blob_bytes / 1e6:.1f} MB)"),
            (counts.uploads, "uploads that were given up"),
            (counts.workers, "workers that have gone"),
        )
        if number
    ]
    return ", ".join(parts) or "nothing"
