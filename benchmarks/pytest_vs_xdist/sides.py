"""One run of a suite, by pytest-xdist or on the warm fleet, with what came out."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.environments import environment
from benchmarks.measuring import Timed, timed
from benchmarks.pytest_vs_xdist.suites import BenchmarkSuite
from benchmarks.warm_fleet import CROSSFLEET, WarmFleet

SLOTS = 2
_AFTERWARDS_SECONDS = 1.0
"""What a fleet does after a run on its own account ends in this time: it is counted, and disturbs nobody else."""


class Unfit(Exception):
    """A run that cannot be compared: it did not end as a run of tests ends. The message shows its last lines."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds by the clock, CPU seconds of everything, outcome by case, and for the fleet what it cost by part."""

    wall: float
    cpu: float
    outcomes: dict[str, str]
    parts: dict[str, float] = field(default_factory=dict)
    testing: float = 0.0
    messages: float = 0.0
    sent: float = 0.0


def with_xdist(suite: BenchmarkSuite, mode: str, scratch: Path) -> Measured:
    """`pytest -n 2 --dist MODE`. Raises Unfit."""
    return with_pytest(suite, scratch, "-n", str(SLOTS), "--dist", mode)


def with_pytest(suite: BenchmarkSuite, scratch: Path, *options: str) -> Measured:
    """`pytest OPTIONS`. Raises Unfit."""
    found = scratch / "outcomes.json"
    here = str(Path(__file__).parent)
    variables = environment() | {"OUTCOME_FILE": str(found), "PYTHONPATH": here}
    command = [str(suite.python), "-m", "pytest", "-q", *options, "-p", "outcome_recorder"]
    done = timed([*command, *suite.arguments], suite.folder, variables)
    _check(" ".join(["pytest", *options]), done)
    return Measured(done.wall, done.cpu, json.loads(found.read_text()))


def with_fleet(suite: BenchmarkSuite, fleet: WarmFleet, scratch: Path) -> Measured:
    """`crossfleet run` on the fleet that is up. Raises Unfit."""
    report = scratch / "report.json"
    cpu, counted = fleet.cpu_seconds(), fleet.counters()
    command = [CROSSFLEET, "run", "--data", str(fleet.data), "--python", str(suite.python), "--json", str(report)]
    done = timed([*command, "--", "pytest", *suite.arguments], suite.folder, environment() | {"COLUMNS": "120"})
    _check("crossfleet run", done)
    time.sleep(_AFTERWARDS_SECONDS)
    parts = {name: used - cpu.get(name, 0.0) for name, used in fleet.cpu_seconds().items()} | {"command": done.cpu}
    added = {name: count - counted.get(name, 0.0) for name, count in fleet.counters().items()}
    cases = json.loads(report.read_text())["cases"]
    return Measured(
        done.wall,
        sum(parts.values()),
        {case["id"]: case["outcome"] for case in cases},
        parts,
        sum(case["seconds"] for case in cases),
        sum(count for name, count in added.items() if name.startswith("crossfleet_session_messages_total")),
        sum(count for name, count in added.items() if name.startswith("crossfleet_session_bytes_total")),
    )


def _check(what: str, done: Timed) -> None:
    if done.status not in (0, 1):
        lines = os.linesep.join(done.output.splitlines()[-15:])
        raise Unfit(f"{what} ended with exit status {done.status}:\n{lines}")
