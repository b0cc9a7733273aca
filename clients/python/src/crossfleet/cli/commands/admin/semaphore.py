"""`crossfleet admin semaphore`: counters of the fleet, such as the seats of an outside licence."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from crossfleet.api.coordinator.v1.admin_service_pb2 import Semaphore
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.exits import UsageError
from crossfleet.cli.reporting import documents
from crossfleet.cli.reporting.table import some, table
from crossfleet.client import Client


def parser() -> argparse.ArgumentParser:
    """The parser of `admin semaphore`."""
    made = command_parser(
        "admin semaphore",
        "Lists the fleet's semaphores, says how much there is of one, or removes one. Slots hold a part of it from their "
        "allocation to its end, as `crossfleet run --semaphore NAME` asks.",
        "  crossfleet admin semaphore list\n  crossfleet admin semaphore set license-x 4\n"
        "  crossfleet admin semaphore set license-x 0     nobody gets any more of it\n"
        "  crossfleet admin semaphore remove license-x",
    )
    made.add_argument("action", nargs="?", default="list", choices=("list", "set", "remove"), help="default: list")
    made.add_argument("name", nargs="?", default="", metavar="NAME")
    made.add_argument("capacity", nargs="?", type=int, metavar="N", help="how much there is, with set")
    return made


def main(arguments: list[str]) -> int:
    """Does one of the three; answers the exit status."""
    options = parser().parse_intermixed_args(arguments)  # options may stand before the name
    name, capacity = options.name, options.capacity
    given = (bool(name), capacity is not None)
    if given != {"list": (False, False), "set": (True, True), "remove": (True, False)}[options.action]:
        usage = {"list": "list", "set": "set NAME N", "remove": "remove NAME"}[options.action]
        raise UsageError(f"write: crossfleet admin semaphore {usage}")

    async def done(client: Client) -> Sequence[Semaphore]:
        if options.action == "set":
            return [await client.admin.set_semaphore(name, capacity)]
        if options.action == "remove":
            await client.admin.remove_semaphore(name)
            return ()
        return await client.admin.semaphores()

    found = ask(options.data, done, history=True)
    if options.output == "json":
        print(documents.write(documents.envelope("semaphores", [documents.plain(one) for one in found])))
    elif options.action == "remove":
        print(f"removed {name}")
    elif found:
        print(
            table(("semaphore", "held", "of", "by", "waiting"), [_row(one) for one in found], right=frozenset((1, 2)))
        )
    else:
        print("no semaphores: `crossfleet admin semaphore set NAME N` makes one")
    return 0


def _row(one: Semaphore) -> tuple[str, ...]:
    by = [f"{holder.group_id} ({holder.held})" for holder in one.holders]
    return one.name, str(one.held), str(one.capacity), some(by), some(one.waiting_group_ids)
