"""`crossfleet schedule create`: stores what `crossfleet run` would submit, with the times at which it is to run."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import replace

from crossfleet.api.coordinator.v1 import schedule_service_pb2 as wire
from crossfleet.cli.connecting import ask_where, command_parser
from crossfleet.cli.exits import UsageError
from crossfleet.cli.reporting import documents
from crossfleet.cli.reporting.schedules import coming
from crossfleet.cli.running import options as command_line
from crossfleet.cli.running.planning import plan_run
from crossfleet.client import Client, Endpoint

# Of the options of `run`, those that only somebody who waits for a run has a use for.
_OF_WHO_WAITS = (
    *("local", "junit", "json", "html", "summary", "follow", "update_durations"),
    *("workers", "worker", "slots", "quiet", "verbose"),
)


def parser() -> argparse.ArgumentParser:
    """The parser of the words before the first `--`."""
    made = command_parser(
        "schedule create",
        "Runs a suite by cron: what `crossfleet run` would submit now is stored, and submitted at each time. A fleet "
        "elsewhere keeps the files as they are now; one on this machine uses the folder as it is then. Of variables the "
        "suite gets those that --env names.",
        "  crossfleet schedule create nightly --cron '0 3 * * *' --timezone Europe/Berlin -- pytest tests\n"
        "  crossfleet schedule create gpu --cron '*/30 * * * *' --overlap cancel -- --target 'gpu=device.class == \"gpu\"' -- "
        "pytest",
    )
    made.add_argument("name", metavar="NAME")
    made.add_argument("--cron", required=True, help="five fields: minute hour day-of-month month day-of-week")
    made.add_argument("--timezone", default="UTC", metavar="ZONE", help="whose clocks are meant; default UTC")
    made.add_argument(
        "--missed",
        choices=("skip", "once", "all"),
        default="once",
        help="times at which no coordinator led: no run, one for the last of them (default), or one for each",
    )
    made.add_argument(
        "--overlap",
        choices=("skip", "queue", "cancel"),
        default="skip",
        help="while the run before goes on: leave the time out (default), wait for its end, or cancel it",
    )
    made.add_argument("--replace", action="store_true", help="in the place of a schedule of that name")
    return made


def main(arguments: list[str]) -> int:
    """Makes a schedule; answers the exit status."""
    own, run_words = _split(arguments)
    options = _own(own)
    if not run_words:
        raise UsageError(f"name what to run after `--`: {_shown(options)} -- pytest tests")
    run = command_line.parse(run_words)
    run = replace(run, data=options.data or run.data)
    _check_suits_a_schedule(run)
    plan = plan_run(run)

    async def created(client: Client, endpoint: Endpoint) -> wire.Schedule:
        from crossfleet.cli.running.perform import make_spec
        from crossfleet.cli.running.sharding import Sharding

        spec = await make_spec(client, run, plan, endpoint, Sharding.of(run), own=False, inherits=False)
        schedule = wire.Schedule(
            name=options.name,
            cron=options.cron,
            timezone=options.timezone,
            missed=wire.MissedPolicy.Value(f"MISSED_POLICY_{options.missed.upper()}"),
            overlap=wire.OverlapPolicy.Value(f"OVERLAP_POLICY_{options.overlap.upper()}"),
            spec=spec,
        )
        return await client.schedules.create(schedule, replace=options.replace)

    found = ask_where(run.data, created)
    if options.output == "json":
        print(documents.write(documents.envelope("schedule", documents.plain(found))))
    else:
        print(f"{found.name}: next {coming(found)}")
    return 0


def _own(words: list[str]) -> argparse.Namespace:
    made = parser()
    options, unknown = made.parse_known_args(words)
    of_run = command_line.misplaced(unknown)
    if of_run:
        raise UsageError(
            f"{of_run[0]} is an option of `crossfleet run`: write it behind `--`, and what is to run behind another one: "
            f"{_shown(options)} -- {of_run[0]} ... -- pytest"
        )
    if unknown and not unknown[0].startswith("-"):
        raise UsageError(f"put `--` before what is to run: {_shown(options)} -- {shlex.join(unknown)}")
    return made.parse_args(words) if unknown else options


def _shown(options: argparse.Namespace) -> str:
    return f"crossfleet schedule create {shlex.quote(options.name)} --cron {shlex.quote(options.cron)}"


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words of this command, and those of `crossfleet run`, which may begin with what is to run."""
    words = list(arguments)
    if "--" not in words:
        return words, []
    cut = words.index("--")
    rest = words[cut + 1 :]
    return words[:cut], rest if "--" in rest else ["--", *rest]


def _check_suits_a_schedule(run: command_line.RunOptions) -> None:
    given = [name for name in _OF_WHO_WAITS if getattr(run, name)]
    if given:
        option = f"--{given[0].replace('_', '-')}"
        raise UsageError(
            f"{option}: nobody waits for a scheduled run; `crossfleet show RUN` and `crossfleet watch RUN` tell of each"
        )
    if run.deadline is not None and run.deadline.at is not None:
        raise UsageError("--deadline: each run of a schedule has its own: give a time to go, such as 2h")
