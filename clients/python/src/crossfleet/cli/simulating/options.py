"""The options of `crossfleet simulate`."""

from __future__ import annotations

import argparse

from crossfleet.cli.fleet.options import DATA_HELP
from crossfleet.cli.parsing import Parser
from crossfleet.simulation.generating.loads import LOADS

_DESCRIPTION = f"""
Plays coordinator and fleet under a virtual clock against schedulers, and says what became of a trace of work: waits, fairness,
utilisation. Nothing is executed. A trace is a file of JSON lines (docs/simulate.md), one that --generate makes, or one that
--from-run or --record makes of what a fleet has done.

kinds of --generate:
{chr(10).join(f"  {name:<8} {load.text}" for name, load in LOADS.items())}
"""
_EXAMPLES = """examples:
  crossfleet simulate --generate gangs --seed 7 > gangs.jsonl
  crossfleet simulate gangs.jsonl --html gangs.html
  crossfleet simulate gangs.jsonl --scheduler default --scheduler mine=localhost:7401
  crossfleet simulate --record --last 200 > last.jsonl
"""


def parser() -> argparse.ArgumentParser:
    """The parser of `simulate`."""
    made = Parser(
        "simulate",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    made.add_argument("trace", nargs="?", default="", metavar="TRACE", help="a file, or - for standard input")
    _add_playing(made)
    _add_generating(made)
    _add_recording(made)
    return made


def _add_playing(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("play a trace")
    group.add_argument(
        "--scheduler",
        action="append",
        default=[],
        metavar="[NAME=]ADDRESS",
        help="HOST:PORT or unix:/PATH of a scheduler, or `default` for ours; repeatable: they are compared",
    )
    group.add_argument(
        "--scheduler-token-file", default="", metavar="FILE", help="the token that those elsewhere ask for"
    )
    group.add_argument(
        "--cycle", type=_seconds, default=1.0, metavar="SECONDS", help="plan at most so often; default 1; 0: at once"
    )
    group.add_argument(
        "--grace", type=_seconds, default=None, metavar="SECONDS", help="end what revoked slots still run after so long"
    )
    group.add_argument(
        "--count-latency", action="store_true", help="let the time that a scheduler takes pass in the simulation too"
    )
    group.add_argument(
        "--limit", type=_seconds, default=30.0, metavar="SECONDS", help="wait so long for a plan; default 30"
    )
    group.add_argument(
        "--project-weights",
        type=_weights,
        default=None,
        metavar="P=W,...",
        help="weights of projects, as `ml=3,web=1`; default: those of the trace",
    )
    group.add_argument("--html", default="", metavar="FILE", help="write a page with plots")
    group.add_argument("--output", choices=("text", "json"), default="text", help="default: text")
    group.add_argument("--color", choices=("auto", "always", "never"), default="auto")


def _add_generating(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("make a trace, on standard output")
    group.add_argument("--generate", choices=tuple(LOADS), default="", metavar="KIND", help=", ".join(LOADS))
    group.add_argument("--workers", type=_number, default=20, metavar="N", help="default 20")
    group.add_argument("--hours", type=_amount, default=4.0, metavar="H", help="default 4")
    group.add_argument("--projects", type=_number, default=5, metavar="N", help="default 5")
    group.add_argument(
        "--load", type=_amount, default=0.9, metavar="L", help="work offered over what the fleet can do; 0.9"
    )
    group.add_argument(
        "--losses", type=_seconds, default=0.0, metavar="N", help="how often a day a worker is lost; default 0"
    )
    group.add_argument(
        "--deadlines", type=_part, default=0.0, metavar="PART", help="so much of the groups has a deadline; 0 to 1"
    )
    group.add_argument(
        "--priority-classes", action="store_true", help="groups are urgent, interactive or batch, which is preemptible"
    )
    group.add_argument("--seed", type=int, default=1, metavar="S", help="default 1")


def _add_recording(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("record a trace, on standard output")
    group.add_argument("--from-run", action="append", default=[], metavar="RUN", help="a run of the fleet; repeatable")
    group.add_argument("--record", action="store_true", help="the last finished runs of the fleet")
    group.add_argument("--last", type=_number, default=100, metavar="N", help="so many of them; default 100")
    group.add_argument("--data", default="", metavar="DIR", help=DATA_HELP)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r}: give a number from 0 to 86400")
    return seconds


def _part(text: str) -> float:
    try:
        part = float(text)
    except ValueError:
        part = -1.0
    if not 0 <= part <= 1:
        raise argparse.ArgumentTypeError(f"{text!r}: give a number from 0 to 1, as 0.3 for three of ten groups")
    return part


def _amount(text: str) -> float:
    value = _seconds(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r}: give a number above 0")
    return value


def _number(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number from 1 to 100000")
    return int(text)


def _weights(text: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for word in text.split(","):
        name, _, weight = word.rpartition("=")
        try:
            found[name] = float(weight)
        except ValueError:
            found[name] = 0.0
        if not name or not 0 < found[name] <= 1_000_000:
            raise argparse.ArgumentTypeError(f"{word!r}: write project=weight, as ml=3, with a weight above 0")
    return found
