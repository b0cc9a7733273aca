"""`crossfleet simulate`: what schedulers would make of a load, without a fleet."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from crossfleet.cli import exits
from crossfleet.cli.connecting import ask
from crossfleet.cli.reporting.paint import painter
from crossfleet.cli.running.report_files import check_writable
from crossfleet.cli.simulating.options import parser
from crossfleet.foundation.errors import DeadlineExceeded, Unavailable, Unimplemented

if TYPE_CHECKING:
    from crossfleet.cli.simulating.schedulers import NamedScheduler
    from crossfleet.simulation.playing import Pace, Played

__all__ = ["main", "parser"]

_TELL_SECONDS = 0.2


def main(arguments: list[str]) -> int:
    """Plays, generates or records; answers the exit status."""
    options = parser().parse_args(arguments)
    asked = [bool(options.trace), bool(options.generate), bool(options.from_run or options.record)]
    if sum(asked) != 1:
        raise exits.UsageError("give one of: a TRACE to play, --generate KIND, --from-run RUN or --record")
    if options.generate:
        return _generate(options)
    if not options.trace:
        return _record(options)
    return _play(options)


def _generate(options: argparse.Namespace) -> int:
    from crossfleet.simulation.generating.generator import Wish, generate
    from crossfleet.simulation.trace.rows import encode

    wish = Wish(
        options.generate,
        options.workers,
        options.hours,
        options.projects,
        options.load,
        options.losses,
        options.seed,
        options.deadlines,
        options.priority_classes,
    )
    for row in generate(wish):
        sys.stdout.write(encode(row) + "\n")
    return exits.PASSED


def _record(options: argparse.Namespace) -> int:
    from crossfleet.simulation.recording import record
    from crossfleet.simulation.trace.rows import encode

    for row in ask(options.data, lambda client: record(client, options.from_run, options.last), history=True):
        sys.stdout.write(encode(row) + "\n")
    return exits.PASSED


def _play(options: argparse.Namespace) -> int:
    from crossfleet.cli.simulating.document import document
    from crossfleet.cli.simulating.schedulers import named
    from crossfleet.cli.simulating.spooling import spooled
    from crossfleet.cli.simulating.tables import text
    from crossfleet.simulation.playing import Pace
    from crossfleet.simulation.trace.reading import TraceError, head

    schedulers = named(options.scheduler)
    check_writable("--html", options.html)
    pace = Pace(options.cycle, options.grace, options.limit, options.count_latency)
    try:
        with spooled(options.trace) as path:
            with path.open("rb") as file:
                title = head(file).title
            played = asyncio.run(_compare(schedulers, path, pace, options))
    except TraceError as error:
        raise exits.UsageError(f"{options.trace}: {error}") from None
    except Unavailable as error:
        print(f"crossfleet simulate: {error}", file=sys.stderr)
        return exits.FLEET
    if options.html:
        from crossfleet.cli.reporting.whole import write_whole
        from crossfleet.cli.simulating.page import page

        write_whole(Path(options.html), page(title or os.path.basename(options.trace), played))
    if options.output == "json":
        from crossfleet.cli.reporting import documents

        print(documents.write(document(title, played)))
    else:
        print(text(title, played, painter(options.color)))
    return exits.PASSED


async def _compare(
    schedulers: tuple[NamedScheduler, ...], path: Path, pace: Pace, options: argparse.Namespace
) -> dict[str, Played]:
    from contextlib import AsyncExitStack

    from msgspec.structs import replace

    from crossfleet.cli.reporting.schedulers import NO_SCHEDULER
    from crossfleet.cli.simulating.schedulers import reached
    from crossfleet.foundation.channel import open_channel
    from crossfleet.simulation.playing import describe, play
    from crossfleet.simulation.trace.reading import happenings, head

    found: dict[str, Played] = {}
    async with AsyncExitStack() as stack:
        channels = {}
        for one in schedulers:
            address = await stack.enter_async_context(reached(one))
            token_file = options.scheduler_token_file if one.address else ""
            channels[one.name] = await stack.enter_async_context(open_channel(address, token_file=token_file))
            try:  # Who does not answer is told before an hour of another's.
                await describe(channels[one.name])
            except (DeadlineExceeded, Unavailable, Unimplemented) as error:
                told = NO_SCHEDULER if isinstance(error, Unimplemented) else str(error)
                raise Unavailable(f"no scheduler answers at {address}: {told}") from None
        for name, channel in channels.items():
            with path.open("rb") as file:
                first = head(file)
                file.seek(0)
                if options.project_weights:
                    first = replace(first, project_weights=options.project_weights)
                try:
                    found[name] = await play(channel, happenings(file), first, pace, tell=_teller(name))
                finally:
                    if sys.stderr.isatty():
                        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    return found


def _teller(name: str) -> Callable[[float], None]:
    """Says on a terminal how far a simulation is."""
    if not sys.stderr.isatty():
        return lambda now: None
    import time

    from crossfleet.cli.simulating.figures import duration

    told = 0.0

    def tell(now: float) -> None:
        nonlocal told
        moment = time.monotonic()
        if moment - told >= _TELL_SECONDS:
            told = moment
            print(f"\r\x1b[K{name}: {duration(now)} simulated\r", end="", file=sys.stderr, flush=True)

    return tell
