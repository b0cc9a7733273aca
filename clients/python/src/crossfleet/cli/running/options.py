"""The command line of `crossfleet run`."""

from __future__ import annotations

import argparse
import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from crossfleet.cli.amounts import count, percent, seconds, size
from crossfleet.cli.exits import UsageError
from crossfleet.cli.fleet.options import add_fleet_size
from crossfleet.cli.parsing import Parser
from crossfleet.cli.reporting.options import add_loudness, add_report_files
from crossfleet.cli.running.alternatives import add_placing
from crossfleet.cli.running.deadline import MOST, Deadline, moment, too_far
from crossfleet.cli.running.devices import add_devices
from crossfleet.cli.running.needs import add_needs
from crossfleet.cli.running.reruns import Reruns, of_options
from crossfleet.cli.running.reruns import add_options as add_reruns

DESCRIPTION = "Runs a test suite, or any command, on a fleet and gives one verdict."
EXAMPLES = """
examples:
  crossfleet run -- pytest tests                      as pytest would, on all cores of this machine
  crossfleet run -- python -m pytest -k slow          with the interpreter that is named
  crossfleet run --target 'plain=' --target 'gpu=device.class == "gpu"' -- pytest
  crossfleet run --matrix targets.toml --junit out.xml -- pytest
  crossfleet run --target cpu= --target 'gpu=device.class == "gpu"' --needs gpu=cpu -- pytest
  crossfleet run -- go test ./...                     also: python -m unittest, node --test, npx vitest, cargo test
  crossfleet run --runner gtest -- build/my_test      the kind is named where the words do not tell it
  crossfleet run --collect-junit 'reports/*.xml' -- make check
  crossfleet run --local -- pytest --pdb test_a.py    plain pytest, here
  crossfleet run --shard 3/10 --durations durations.json --json shard-3.json -- pytest

Where CROSSFLEET_ADDRESS is set, and --data is not given, it asks that fleet. Else it joins the one that serves the
data folder, or starts one that ends with it.
Exit status: 0 all passed, 1 some failed (also: stopped by --timeout, or cancelled by somebody else), 2 wrong usage,
3 the fleet's own fault, 5 no tests collected (as pytest), 130 interrupted.
"""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line of `run` says; times in seconds, sizes in bytes, zero: not given."""

    command: tuple[str, ...]
    target: tuple[str, ...]
    target_python: tuple[str, ...]
    target_requirements: tuple[str, ...]
    matrix: str
    alternative: tuple[str, ...]
    near: tuple[str, ...]
    apart: tuple[str, ...]
    prefer_least: str
    needs: tuple[str, ...]
    unchanged_too: bool
    devices: tuple[str, ...]
    semaphore: tuple[str, ...]
    gate: tuple[str, ...]
    build: str
    workers: int
    worker: tuple[str, ...]
    slots: int
    junit: str
    json: str
    html: str
    summary: str
    ci: str
    max_failures: int | None
    reruns: Reruns
    runner: str
    python: str
    requirements: str
    isolated: bool
    timeout: float
    case_timeout: float
    speculate: int
    memory_limit: int
    collect_junit: tuple[str, ...]
    title: str
    label: tuple[str, ...]
    priority: int | str
    deadline: Deadline | None
    scheduler: str
    project: str
    env: tuple[str, ...]
    data: str
    local: bool
    wait: bool
    shard: str
    durations: str
    update_durations: bool
    quiet: int
    verbose: int
    follow: str
    color: str


def parse(arguments: list[str], command_name: str = "run") -> RunOptions:
    """Reads the words after `crossfleet run`, or those of a command that takes the same. Ends the process with status 2 and a message where they are wrong."""
    made = parser(command_name)
    if "--" in arguments:
        cut = arguments.index("--")
        own, command = arguments[:cut], arguments[cut + 1 :]
    else:
        own, command = arguments, []
    known, unknown = made.parse_known_args(own)
    if unknown:
        raise UsageError(_unknown(made, unknown, own if "--" in arguments else []))
    found = vars(known)
    if not command and (known.local or not known.matrix):
        raise UsageError(f"name what to run after `--`, for instance: {made.prog} -- pytest tests")
    if found.pop("keep_going"):
        found["max_failures"] = 0
    reruns = of_options(found)
    lists = {key: tuple(value) for key, value in found.items() if isinstance(value, list)}
    return RunOptions(command=tuple(command), reruns=reruns, **{**found, **lists})


def misplaced(command: Sequence[str]) -> list[str]:
    """Words of a command that are options of `crossfleet run`, which stand before `--`."""
    options = _options(parser())
    return [word for word in (each.partition("=")[0] for each in command) if word.startswith("--") and word in options]


def _options(made: argparse.ArgumentParser) -> list[str]:
    return [option for action in made._actions for option in action.option_strings]  # noqa: SLF001 - no public list


def _unknown(made: argparse.ArgumentParser, unknown: list[str], before_dashes: list[str]) -> str:
    """What to say of words that are no options: the nearest option, or that `--` is missing."""
    from difflib import get_close_matches

    from crossfleet.cli.pytest_options.table import BY_NAME

    first = unknown[0].partition("=")[0]
    if first in BY_NAME:
        return f"{first} is an option of pytest: write it behind, {made.prog} -- pytest {shlex.join(unknown)}"
    near = get_close_matches(first, _options(made), 1) if first.startswith("-") else []
    if near:
        return f"there is no option {first}. Did you mean {near[0]}?"
    if before_dashes:
        return f"{shlex.join(unknown)}: not an option of `{made.prog}`; what is to run goes after `--`"
    return f"put `--` before what is to run: {made.prog} [options] -- {shlex.join(unknown)}"


def parser(command_name: str = "run") -> argparse.ArgumentParser:
    """The parser of the words before `--`."""
    made = Parser(command_name, DESCRIPTION, EXAMPLES)
    made.usage = f"{made.prog} [options] -- COMMAND [arguments]"
    _matrix(made)
    _environment(made)
    _limits(made)
    add_reruns(made)
    _sharding(made)
    _reports(made)
    add_fleet_size(made)
    return made


def _matrix(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("the matrix")
    add = group.add_argument
    add(
        "--target",
        action="append",
        default=[],
        metavar="NAME=CEL",
        help="a target and its selector; repeatable. An empty selector takes any worker",
    )
    add("--target-python", action="append", default=[], metavar="NAME=PATH", help="the interpreter of one target")
    add(
        "--target-requirements", action="append", default=[], metavar="NAME=FILE", help="the requirements of one target"
    )
    add(
        "--matrix",
        default="",
        metavar="FILE",
        help="targets from a TOML file of [[target]] tables, each with a command of its own if it likes",
    )
    add_placing(group)
    add_needs(group)
    add_devices(group)
    add(
        "--semaphore",
        action="append",
        default=[],
        metavar="NAME[=N]",
        help="each slot holds N (default 1) of the fleet's semaphore NAME, such as a seat of a licence; repeatable",
    )
    add(
        "--gate",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="the host is had alone, and each case waits until it is quiet: load=0.3, temperature=80, clock=0.9, "
        "pressure=0.05, gpu=0.1; also wait=5m and repeats=2; repeatable",
    )
    add(
        "--build",
        default="",
        metavar="NAME",
        help="the build that is tested, such as debug or asan: durations are kept apart by it. For targets that name none",
    )
    add(
        "--wait",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="wait for a worker where none can satisfy a target; by default the target fails and says why",
    )


def _environment(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("what it runs in")
    add = group.add_argument
    add(
        "--python",
        default="",
        metavar="PATH",
        help="interpreter with the suite's packages; default: the one that would run `pytest` here",
    )
    add(
        "--requirements",
        default="",
        metavar="FILE",
        help="build an environment from this file with uv, cached by its hash",
    )
    add(
        "--runner",
        default="",
        metavar="NAME",
        help="the kind of suite, such as gtest, catch2, tap, command; default: told from the words after `--`",
    )
    add("--isolated", action="store_true", help="run in a copy of the workspace instead of in place")
    add(
        "--local",
        action="store_true",
        help="no fleet: plain pytest in this terminal, for --pdb and -s; of the other options --python and --env count",
    )
    add(
        "--env",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="a variable for the suite; without a value this shell's own. A fleet on this machine gets the whole environment anyway",
    )


def _limits(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("limits")
    add = group.add_argument
    add(
        "--maxfail",
        dest="max_failures",
        type=count,
        default=None,
        metavar="N",
        help="stop after N failed cases over all targets",
    )
    add("--keep-going", action="store_true", help="never stop for failures, whatever pytest's arguments say")
    add("--timeout", type=seconds, default=0.0, metavar="TIME", help="limit of the whole run, such as 90, 10m, 2h")
    add(
        "--case-timeout",
        type=case_seconds,
        default=0.0,
        metavar="TIME",
        help="limit of one case; auto: as earlier runs tell of each, ten times what it may need, a minute at least",
    )
    add(
        "--speculate",
        type=percent,
        nargs="?",
        const=5,
        default=0,
        metavar="PERCENT",
        help="run cases that last several times as long as before a second time, on an idle slot of the run on another host; at "
        "most PERCENT (default 5) of a target's cases. Only for suites that stand it",
    )
    add(
        "--memory-limit",
        type=_memory,
        default=0,
        metavar="SIZE",
        help="memory of one slot's processes, such as 512MB, 2GiB",
    )
    add(
        "--deadline",
        type=_deadline,
        default=None,
        metavar="TIME",
        help="when it should have ended: 2h from now, 18:00, '2026-11-27 18:00', with an offset or zone if you like. Of its project's "
        "runs of this priority those go first that are due first; a deadline that is missed ends nothing",
    )
    add(
        "--priority",
        type=_priority,
        default=0,
        metavar="N|CLASS",
        help="from -1000 to 1000, larger first; or a class of this fleet (crossfleet admin priority list)",
    )
    add("--scheduler", default="", metavar="NAME", help="the scheduler that decides; default: as the fleet is set up")


def _sharding(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("a part of the suite, and durations")
    add = group.add_argument
    add(
        "--shard",
        default="",
        metavar="INDEX/COUNT",
        help="run only this part of so many, such as 3/10, cut alike on every machine; auto: as the CI says. "
        "`crossfleet merge` joins the reports",
    )
    add(
        "--durations",
        default="",
        metavar="FILE",
        help="seconds of cases: shards are balanced by them, the longest start first. Reads pytest-split's files too",
    )
    add("--update-durations", action="store_true", help="write what was measured to that file after the run")


def _reports(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("reports")
    add = group.add_argument
    add_report_files(group)
    add(
        "--collect-junit",
        action="append",
        default=[],
        metavar="GLOB",
        help="JUnit files that a command leaves; read into cases",
    )
    add("--title", default="", help="a line for people; default: the command")
    add("--label", action="append", default=[], metavar="NAME=VALUE", help="a label of the run; repeatable")
    add("--project", default="", help="the tenant; default `default`")
    add(
        "--follow",
        default="",
        metavar="PATTERN",
        help="show what the cases print whose id holds PATTERN (`*` and `?` match anything), while they run",
    )
    add_loudness(group)


LEARNT = math.inf
"""The limit of a case that is learnt from earlier runs."""
_MOST_PRIORITY = 1000
_LEAST_MEMORY = 2**20  # less was meant in another unit


def case_seconds(text: str) -> float:
    """As `seconds`, or LEARNT for `auto`."""
    if text == "auto":
        return LEARNT
    try:
        return seconds(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}; or auto") from None


def _memory(text: str) -> int:
    found = size(text)
    if 0 < found < _LEAST_MEMORY:
        raise argparse.ArgumentTypeError(f"{text!r} is in bytes, and less than 1MiB: write its unit, such as 512MB")
    return found


def _priority(text: str) -> int | str:
    """A number, or the name of a class."""
    try:
        number = int(text)
    except ValueError:
        return text
    if abs(number) > _MOST_PRIORITY:
        raise argparse.ArgumentTypeError(f"{text!r} is no priority: give a whole number from -1000 to 1000, or a class")
    return number


def _deadline(text: str) -> Deadline:
    try:
        span = seconds(text)
    except argparse.ArgumentTypeError:
        return moment(text, datetime.now().astimezone())
    if span > MOST.total_seconds():
        raise argparse.ArgumentTypeError(too_far(text))
    return Deadline(seconds=span)


def pairs(words: tuple[str, ...], option: str) -> dict[str, str]:
    """`NAME=VALUE` words as a dictionary. Raises UsageError where a word has no `=` or a name comes twice."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            any_worker = f"; `{word}=` takes any worker" if option == "--target" and name else ""
            raise UsageError(f"{option} {word!r}: write NAME=VALUE{any_worker}")
        if name in found:
            raise UsageError(f"{option}: {name!r} is given twice")
        found[name] = value
    return found
