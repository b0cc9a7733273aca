"""How much longer `crossfleet run -- pytest` takes than plain pytest, on ten cases, with no fleet up.

    python -m benchmarks.cold_start [--quick] [--pairs N] [--profile]

Both sides run one after the other in pairs, on a data folder that is new each time, with the interpreter that has both;
bytecode is compiled by a pair that is not counted. --profile breaks one run down by what its parts print in their logs.
Exits 1 when the median difference is above its goal, or when something of a fleet is left behind.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.cold_start.profile import breakdown
from benchmarks.environments import environment, interpreter
from benchmarks.measuring import machine, middle, timed, verdict
from benchmarks.processes import everything
from benchmarks.warm_fleet import CROSSFLEET

GOAL_SECONDS = 1.5
_GONE_SECONDS = 5.0
_POLL_SECONDS = 0.05
_SUITE = """import pytest


@pytest.mark.parametrize("number", range(10))
def test_number(number):
    assert number >= 0
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; answers the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold_start", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="one pair")
    parser.add_argument("--pairs", type=int, default=9, help="counted pairs; default 9")
    parser.add_argument("--profile", action="store_true", help="say where the time of one run goes")
    options = parser.parse_args(arguments)
    print(f"cold_start: {machine()}")
    python = interpreter("networkx", ["networkx==3.6.1", "pytest==9.2.0", "pytest-xdist==3.8.0"])
    ours, theirs = [], []
    with tempfile.TemporaryDirectory(prefix="cf-cold-") as folder:
        suite = Path(folder, "suite")
        suite.mkdir()
        (suite / "test_ten.py").write_text(_SUITE)
        for number in range(-1, 1 if options.quick else options.pairs):
            plain = timed([str(python), "-m", "pytest", "-q"], suite, environment())
            fleet = _run(python, suite, Path(folder, f"data{number}"))
            if plain.status or "10 passed" not in plain.output:
                print(f"MISS plain pytest: {plain.output}")
                return 1
            if number >= 0:
                ours.append(fleet)
                theirs.append(plain.wall)
        left = _left(folder)
        if options.profile:
            breakdown(lambda data: _run(python, suite, data), Path(folder, "profiled"))
    print(f"  crossfleet run {middle(ours):.2f} s, plain pytest {middle(theirs):.2f} s, medians of {len(ours)} pairs")
    print(f"  ratio {middle(ours) / middle(theirs):.2f}")
    if left:
        print(f"MISS a fleet was left behind: {left}")
    difference = middle([one - other for one, other in zip(ours, theirs, strict=True)])
    return 0 if verdict("cold start beyond plain pytest", difference, GOAL_SECONDS, " s") and not left else 1


def _run(python: Path, suite: Path, data: Path) -> float:
    """Seconds of one run. Raises RuntimeError when not all ten cases passed."""
    report = data.with_suffix(".json")
    command = [CROSSFLEET, "run", "--data", str(data), "--python", str(python), "--json", str(report), "--", "pytest"]
    done = timed(command, suite, environment())
    cases = json.loads(report.read_text())["cases"] if report.exists() else []
    if done.status or [case["outcome"] for case in cases] != ["passed"] * 10:
        raise RuntimeError(f"crossfleet run ended with exit status {done.status}: {done.output}")
    return done.wall


def _left(folder: str) -> list[int]:
    """Processes that still speak of the folder a moment after the last run."""
    end = time.monotonic() + _GONE_SECONDS
    while (found := [one.pid for one in everything() if folder in " ".join(one.words)]) and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)
    return found


if __name__ == "__main__":
    sys.exit(main())
