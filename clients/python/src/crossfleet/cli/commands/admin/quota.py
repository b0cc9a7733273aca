"""`crossfleet admin quota`: the most that projects hold and run at a time."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from crossfleet.api.coordinator.v1.admin_service_pb2 import Quota, QuotaStatus
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.exits import UsageError
from crossfleet.cli.reporting import documents
from crossfleet.cli.reporting.table import some, table
from crossfleet.client import Client

_MOST = 1_000_000


def parser() -> argparse.ArgumentParser:
    """The parser of `admin quota`."""
    made = command_parser(
        "admin quota",
        "Lists quotas, sets all limits of one project, or removes them. What a project holds is never taken back: a quota that "
        "is lowered holds back what comes next.",
        "  crossfleet admin quota list\n  crossfleet admin quota set ml --slots 40 --devices gpu=4 --runs 10\n"
        "  crossfleet admin quota set ml --slots 0     it gets no slots any more\n"
        "  crossfleet admin quota remove ml",
    )
    made.add_argument("action", nargs="?", default="list", choices=("list", "set", "remove"), help="default: list")
    made.add_argument("project", nargs="?", default="", metavar="PROJECT")
    made.add_argument("--slots", type=_most, metavar="N", help="the most slots that it holds")
    made.add_argument("--runs", type=_most, metavar="N", help="the most of its runs that have begun and are not over")
    made.add_argument(
        "--devices", action="append", default=[], metavar="CLASS=N", help="the most devices of a class; may be repeated"
    )
    return made


def main(arguments: list[str]) -> int:
    """Does one of the three; answers the exit status."""
    options = parser().parse_intermixed_args(arguments)  # options may stand before the project
    limits = options.slots is not None or options.runs is not None or bool(options.devices)
    expected = {"list": (False, False), "set": (True, True), "remove": (True, False)}[options.action]
    if (bool(options.project), limits) != expected:
        limits_text = "[--slots N] [--devices CLASS=N] [--runs N], at least one of them"
        usage = {"list": "list", "set": f"set PROJECT {limits_text}", "remove": "remove PROJECT"}[options.action]
        raise UsageError(f"write: crossfleet admin quota {usage}")
    wanted = Quota(project=options.project, slots=options.slots, runs=options.runs, devices=_devices(options.devices))

    async def done(client: Client) -> Sequence[QuotaStatus]:
        if options.action == "set":
            status = await client.admin.set_quota(wanted)
            for note in await _of_no_device(client, wanted.devices):
                print(f"crossfleet admin quota: {note}", file=sys.stderr)
            return [status]
        if options.action == "remove":
            await client.admin.remove_quota(options.project)
            return ()
        return await client.admin.quotas()

    found = ask(options.data, done, history=True)
    if options.output == "json":
        print(documents.write(documents.envelope("quotas", [documents.plain(one) for one in found])))
    elif options.action == "remove":
        print(f"removed the quota of {options.project}")
    elif found:
        print(table(("project", "slots", "devices", "runs", "held by", "waiting"), [_row(one) for one in found]))
    else:
        print("no quotas: `crossfleet admin quota set PROJECT --slots N` makes one")
    return 0


async def _of_no_device(client: Client, names: Iterable[str]) -> list[str]:
    """Notes on classes of which the fleet has no device: they limit nothing yet, and may be misspelt."""
    if not names:
        return []
    workers = [status.worker async for status in client.fleet.workers()]
    known = {device.device_class for worker in workers for device in worker.devices}
    notes = []
    for name in sorted(set(names) - known) if workers else ():
        near = get_close_matches(name, sorted(known), 1)
        notes.append(f"no device of this fleet is of class {name} so far{f': did you mean {near[0]}?' if near else ''}")
    return notes


def _devices(words: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for word in words:
        name, equals, most = word.partition("=")
        if not name or not equals:
            raise UsageError(f"--devices {word}: write CLASS=N, such as gpu=4")
        if name in found:
            raise UsageError(f"--devices {word}: class {name} is named twice")
        try:
            found[name] = _most(most)
        except argparse.ArgumentTypeError as error:
            raise UsageError(f"--devices {word}: {error}") from None
    return found


def _most(text: str) -> int:
    if not text.isdecimal() or int(text) > _MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 to {_MOST}")
    return int(text)


def _row(one: QuotaStatus) -> tuple[str, ...]:
    quota = one.quota
    slots = f"{one.slots_held} of {quota.slots}" if quota.HasField("slots") else f"{one.slots_held}"
    runs = f"{len(one.begun_run_ids)} of {quota.runs}" if quota.HasField("runs") else f"{len(one.begun_run_ids)}"
    devices = ", ".join(f"{one.devices_held[name]} of {most} {name}" for name, most in sorted(quota.devices.items()))
    by = [f"{holder.group_id} ({holder.slots})" for holder in one.holders]
    return quota.project, slots, devices, runs, some(by), some(one.waiting_group_ids)
