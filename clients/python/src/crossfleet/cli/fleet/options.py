"""Options that say how large an embedded fleet is, and the plan that follows from them."""

from __future__ import annotations

import argparse

from crossfleet.cli.exits import UsageError
from crossfleet.cli.fleet.cores import share_slots, usable_cores
from crossfleet.cli.fleet.plan import FleetPlan, WorkerPlan

MOST_WORKERS = 64
DATA_HELP = "data folder of a fleet here, which wins over CROSSFLEET_ADDRESS; default CROSSFLEET_DATA, else the user's"


def add_fleet_size(parser: argparse.ArgumentParser) -> None:
    """Adds --data, --workers, --worker and --slots."""
    group = parser.add_argument_group("a fleet on this machine")
    group.add_argument("--data", default="", metavar="DIR", help=DATA_HELP)
    group.add_argument(
        "--workers", type=positive, default=0, metavar="N", help="workers, which share this machine's cores; default 1"
    )
    group.add_argument(
        "--worker",
        action="append",
        default=[],
        metavar="NAME[,LABEL=VALUE...]",
        help="a worker with its labels; repeatable, instead of --workers",
    )
    group.add_argument(
        "--slots", type=positive, default=0, metavar="N", help="slots over all workers; default: the cores"
    )


def positive(text: str) -> int:
    """A whole number from 1. Raises ArgumentTypeError, as argparse wants it."""
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no count: give a whole number from 1")
    return int(text)


def plan_workers(count: int, named: tuple[str, ...], slots: int, cores: float | None = None) -> tuple[WorkerPlan, ...]:
    """Workers whose slots share the machine. Raises UsageError where the numbers or names are wrong."""
    machine = usable_cores() if cores is None else cores
    if count and named:
        raise UsageError("give --workers or --worker, not both")
    if not 0 <= count <= MOST_WORKERS or not 0 <= slots <= 1024:
        raise UsageError(f"--workers goes from 1 to {MOST_WORKERS}, --slots from 1 to 1024")
    words = named or (("local",) if count <= 1 else tuple(f"local-{number}" for number in range(1, count + 1)))
    shares = share_slots(slots or max(1, int(machine)), len(words))
    planned = []
    for word, share in zip(words, shares, strict=True):
        name, *labels = word.split(",")
        planned.append(WorkerPlan(name, share, machine * share / sum(shares), tuple(map(_label, labels))))
    names = [worker.name for worker in planned]
    if len(set(names)) < len(names) or not all(name.replace("-", "").replace("_", "").isalnum() for name in names):
        raise UsageError("--worker: each name must be its own, of letters, digits, `-` and `_`")
    return tuple(planned)


def _label(word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not key or not equals:
        raise UsageError(f"--worker: {word!r} is no label; write LABEL=VALUE")
    return key, value


def embedded_plan(data: str, count: int, named: tuple[str, ...], slots: int) -> FleetPlan:
    """The fleet of one `run`: Unix sockets only, no gateway."""
    return FleetPlan(data, plan_workers(count, named, slots), passing=True)
