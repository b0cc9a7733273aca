"""`crossfleet admin priority`: the priority classes that runs may be of."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from crossfleet.api.coordinator.v1.admin_service_pb2 import PriorityClass
from crossfleet.cli.amounts import seconds
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.exits import UsageError
from crossfleet.cli.reporting import documents
from crossfleet.cli.reporting.table import table
from crossfleet.cli.running.view import duration
from crossfleet.client import Client


def parser() -> argparse.ArgumentParser:
    """The parser of `admin priority`."""
    made = command_parser(
        "admin priority",
        "Lists priority classes, makes or changes one, or removes one; `crossfleet run --priority NAME` uses it. Work of a class that "
        "preempts takes slots from lower classes that are preemptible, between two tasks; with --grace nothing more begins there, and a case that "
        "goes on for longer is ended and executed again elsewhere. Runs keep what their class was when they were submitted. The class "
        "`default` is that of runs that name neither class nor priority.",
        "  crossfleet admin priority list\n  crossfleet admin priority set urgent 100 --preempts --project release\n"
        "  crossfleet admin priority set batch -10 --preemptible --grace 30s\n  crossfleet admin priority remove batch",
    )
    made.add_argument("action", nargs="?", default="list", choices=("list", "set", "remove"), help="default: list")
    made.add_argument("name", nargs="?", default="", metavar="NAME")
    made.add_argument(
        "priority", nargs="?", type=_number, metavar="N", help="from -1000 to 1000, with set; larger first"
    )
    made.add_argument("--preempts", action="store_true", help="it takes slots from lower classes that are preemptible")
    made.add_argument("--preemptible", action="store_true", help="its slots may be taken back for those")
    made.add_argument(
        "--grace",
        type=_grace,
        metavar="TIME",
        help="how long a case may go on then, such as 30s; 0: not at all; default: until it ends",
    )
    made.add_argument(
        "--project",
        action="append",
        default=[],
        metavar="NAME",
        help="who may use it; may be repeated; default: everybody",
    )
    return made


def main(arguments: list[str]) -> int:
    """Does one of the three; answers the exit status."""
    options = parser().parse_intermixed_args(arguments)
    more = options.preempts or options.preemptible or options.grace is not None or bool(options.project)
    given = (bool(options.name), options.priority is not None)
    if given != {"list": (False, False), "set": (True, True), "remove": (True, False)}[options.action] or (
        more and options.action != "set"
    ):
        settings = "[--preempts] [--preemptible [--grace TIME]] [--project NAME]"
        usage = {"list": "list", "set": f"set NAME N {settings}", "remove": "remove NAME"}[options.action]
        raise UsageError(f"write: crossfleet admin priority {usage}")
    if options.grace is not None and not options.preemptible:
        raise UsageError("--grace: it is of a class whose slots may be taken back: add --preemptible")

    async def done(client: Client) -> Sequence[PriorityClass]:
        if options.action == "set":
            return [await client.admin.set_priority_class(_wanted(options))]
        if options.action == "remove":
            await client.admin.remove_priority_class(options.name)
            return ()
        return await client.admin.priority_classes()

    found = ask(options.data, done, history=True)
    if options.output == "json":
        print(documents.write(documents.envelope("priority_classes", [documents.plain(one) for one in found])))
    elif options.action == "remove":
        print(f"removed {options.name}")
    elif found:
        heads = ("class", "priority", "takes slots", "gives them", "projects")
        print(table(heads, [_row(one) for one in found], right=frozenset((1,))))
    else:
        print("no priority classes: `crossfleet admin priority set NAME N` makes one")
    return 0


def _wanted(options: argparse.Namespace) -> PriorityClass:
    wanted = PriorityClass(
        name=options.name,
        priority=options.priority,
        preempts=options.preempts,
        preemptible=options.preemptible,
        projects=options.project,
    )
    if options.grace is not None:
        wanted.grace.FromNanoseconds(int(options.grace * 1e9))
    return wanted


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        text = f"{text!r} is no priority: give a whole number from -1000 to 1000"
        raise argparse.ArgumentTypeError(text) from None


def _grace(text: str) -> float:
    return 0.0 if text in {"0", "0s"} else seconds(text)


def _row(one: PriorityClass) -> tuple[str, ...]:
    gives = "no"
    if one.preemptible:
        grace = one.grace.ToNanoseconds() / 1e9
        after = f"after {duration(grace)}" if grace else "at once"
        gives = after if one.HasField("grace") else "between two tasks"
    return one.name, str(one.priority), "yes" if one.preempts else "no", gives, ", ".join(one.projects) or "all"
