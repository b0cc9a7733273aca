"""`crossfleet reserve`: keeps workers for a project for a while."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from crossfleet.api.coordinator.v1.admin_service_pb2 import Reservation
from crossfleet.cli.amounts import seconds
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.exits import UsageError
from crossfleet.cli.fleet.options import positive
from crossfleet.cli.reporting import documents
from crossfleet.cli.reporting.table import table
from crossfleet.cli.reporting.times import local
from crossfleet.client import Client


def parser() -> argparse.ArgumentParser:
    """The parser of `reserve`."""
    made = command_parser(
        "reserve",
        "Keeps workers for one project for a while: nothing else gets slots there. What others run there when it begins is "
        "given back between two tasks. Without options it lists what is reserved.",
        "  crossfleet reserve --project ml --for 4h --selector 'device.class == \"gpu\"' --workers 2\n"
        "  crossfleet reserve --project ml --from '2026-11-27 20:00' --for 10h\n"
        "  crossfleet reserve --cancel reservation-01j...",
    )
    made.add_argument("--project", default="", help="for whom")
    made.add_argument("--for", dest="span", type=seconds, default=0.0, metavar="TIME", help="how long, such as 90m, 4h")
    made.add_argument(
        "--from", dest="begin", default="", metavar="TIME", help="local time, or with offset; default now"
    )
    made.add_argument(
        "--selector", default="", metavar="CEL", help="which workers, as a target's selector; default any"
    )
    made.add_argument("--workers", type=positive, default=0, metavar="N", help="how many of them; default all")
    made.add_argument("--title", default="", help="a line for people")
    made.add_argument("--cancel", default="", metavar="RESERVATION", help="end one now")
    return made


def main(arguments: list[str]) -> int:
    """Makes, cancels or lists reservations; answers the exit status."""
    options = parser().parse_args(arguments)
    of_one = any((options.project, options.span, options.begin, options.selector, options.workers, options.title))
    if options.cancel and of_one:
        raise UsageError("--cancel: ends a reservation that there is: leave the other options out")
    wanted = _wanted(options) if of_one else None

    async def done(client: Client) -> Sequence[Reservation]:
        if options.cancel:
            await client.admin.cancel_reservation(options.cancel)
            return ()
        return await client.admin.reservations() if wanted is None else [await client.admin.reserve(wanted)]

    found = ask(options.data, done, history=True)
    if options.output == "json":
        print(documents.write(documents.envelope("reservations", [documents.plain(one) for one in found])))
    elif options.cancel:
        print(f"cancelled {options.cancel}")
    elif found:
        print(
            table(
                ("reservation", "project", "from", "until", "workers", "kept now", "title"),
                [_row(one) for one in found],
            )
        )
    else:
        print("nothing is reserved")
    return 0


def _wanted(options: argparse.Namespace) -> Reservation:
    if not options.project or not options.span:
        raise UsageError("name the project and how long: crossfleet reserve --project NAME --for TIME")
    begin = datetime.now(UTC)
    wanted = Reservation(
        project=options.project, selector=options.selector, workers=options.workers, title=options.title
    )
    if options.begin:
        try:
            begin = datetime.fromisoformat(options.begin).astimezone(UTC)
        except ValueError:
            raise UsageError(f"--from {options.begin}: write a time such as '2026-11-27 20:00'") from None
        wanted.starts_at.FromDatetime(begin)
    wanted.ends_at.FromDatetime(begin + timedelta(seconds=options.span))
    return wanted


def _row(one: Reservation) -> tuple[str, ...]:
    many = str(one.workers or "all") + (f" of {one.selector}" if one.selector else "")
    times = (local(one.starts_at), local(one.ends_at))
    return one.reservation_id, one.project, *times, many, ", ".join(one.worker_ids), one.title
