"""The fleet that a command asks: that of --data where it is given, else the one that the environment names, else the user's own."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TypeVar

from crossfleet.cli.exits import UsageError
from crossfleet.cli.fleet import fleetfile, folders
from crossfleet.cli.fleet.elsewhere import address_elsewhere
from crossfleet.cli.fleet.options import DATA_HELP
from crossfleet.cli.fleet.plan import FleetPlan
from crossfleet.cli.fleet.waiting import HeldFleet
from crossfleet.cli.parsing import Parser
from crossfleet.client import Client, Endpoint

Answer = TypeVar("Answer")


def command_parser(name: str, description: str, examples: str = "", *, output: bool = True) -> argparse.ArgumentParser:
    """A parser with what every command takes: --data, and --output where it answers data."""
    made = Parser(
        name,
        description=description,
        epilog=f"examples:\n{examples}" if examples else None,
    )
    made.add_argument("--data", default="", metavar="DIR", help=DATA_HELP)
    if output:
        made.add_argument("--output", choices=("text", "json"), default="text", help="default: text")
    return made


def ask(data: str, work: Callable[[Client], Awaitable[Answer]], *, history: bool = False) -> Answer:
    """The answer of `work(client)`.

    With `history` a data folder that nobody serves is opened for the question by a fleet without workers. Raises
    UsageError where there is no fleet to ask.
    """

    async def asked(client: Client, endpoint: Endpoint) -> Answer:
        return await work(client)

    return ask_where(data, asked, history=history)


def ask_where(data: str, work: Callable[[Client, Endpoint], Awaitable[Answer]], *, history: bool = False) -> Answer:
    """As `ask`, for work that must know where the fleet is."""
    endpoint = endpoint_elsewhere(data)
    if endpoint is not None:
        return _once(endpoint, work)
    folder = folders.data_folder(data)
    if not history and fleetfile.read(folder) is None:
        raise UsageError(
            f"no fleet serves {folder}, so nothing runs there: start one with `crossfleet up`, or set CROSSFLEET_ADDRESS"
        )
    if not os.path.isdir(folder):
        raise UsageError(f"there is no data folder {folder}: nothing was run there yet (--data DIR names another)")
    fleet = HeldFleet(FleetPlan(folder, ()))
    try:
        return _once(Endpoint(fleet.wait()), work)
    finally:
        fleet.close()


def endpoint_elsewhere(data: str) -> Endpoint | None:
    """The fleet that the environment names, unless --data, `data`, names one of this machine."""
    return Endpoint.from_environment() if address_elsewhere(data) else None


def _once(endpoint: Endpoint, work: Callable[[Client, Endpoint], Awaitable[Answer]]) -> Answer:
    async def asked() -> Answer:
        async with Client.open(endpoint) as client:
            return await work(client, endpoint)

    return asyncio.run(asked())
