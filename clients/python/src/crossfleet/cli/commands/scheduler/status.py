"""`crossfleet scheduler status`: which schedulers decide, and how their plans fare."""

from __future__ import annotations

import argparse

from crossfleet.api.coordinator.v1.admin_service_pb2 import BreakerState, SchedulerStanding
from crossfleet.cli.connecting import ask, command_parser
from crossfleet.cli.reporting import documents
from crossfleet.cli.reporting.schedulers import for_what, state_of, trouble
from crossfleet.cli.reporting.table import table
from crossfleet.client import Client

_HEADS = (
    "scheduler",
    "address",
    "state",
    "decides for",
    "groups",
    "plans",
    "accepted",
    "refused",
    "late",
    "answers in",
)


def parser() -> argparse.ArgumentParser:
    """The parser of `scheduler status`."""
    return command_parser(
        "scheduler status",
        "Lists the schedulers of a fleet: whether each is let decide, for what, and how its plans fared since the coordinator "
        "began to lead. Late proposals held by what their scheduler knew: others were quicker. The exit status is 1 where one is out.",
        "  crossfleet scheduler status\n  crossfleet scheduler status --output json",
    )


def main(arguments: list[str]) -> int:
    """Lists schedulers; answers the exit status."""
    options = parser().parse_args(arguments)

    async def asked(client: Client) -> list[SchedulerStanding]:
        return await client.admin.schedulers()

    found = ask(options.data, asked)
    status = int(any(one.breaker == BreakerState.BREAKER_STATE_OPEN for one in found))
    if options.output == "json":
        print(documents.write(documents.envelope("schedulers", [documents.plain(one) for one in found])))
        return status
    print(table(_HEADS, [_row(one) for one in found], right=frozenset(range(4, len(_HEADS)))))
    for one in found:
        told = trouble(one)
        if told:
            print(f"\n{one.name}: {told}")
    return status


def _row(one: SchedulerStanding) -> tuple[str, ...]:
    return (
        one.name,
        one.address,
        state_of(one),
        for_what(one),
        str(one.groups),
        str(one.plans),
        str(one.accepted),
        str(one.refused - one.refused_late),
        str(one.refused_late),
        f"{one.answer_seconds * 1000:.0f} ms" if one.answer_seconds else "",
    )
