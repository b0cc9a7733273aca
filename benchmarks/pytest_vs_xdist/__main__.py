"""Wall time of `crossfleet run` on a warm fleet of two slots, as a ratio to `pytest -n 2` in the best of its modes.

    python -m benchmarks.pytest_vs_xdist [--quick] [--rounds N] [--suite NAME] [--mode MODE]

Each round runs the fleet once and xdist once in each mode, one after the other; a round that is not counted goes first
and warms bytecode and disk caches of both sides. The fleet is up, its zygote is cold, and each run is new; from the
second run on it knows how long the cases took, as a fleet that is kept up does. A ratio is printed only where all runs
agree on the outcome of every case. Exits 1 where a goal is missed, 3 where a suite cannot be had.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.environments import NotAvailable
from benchmarks.measuring import machine, middle, verdict
from benchmarks.pytest_vs_xdist.sides import SLOTS, Measured, Unfit, with_fleet, with_xdist
from benchmarks.pytest_vs_xdist.suites import SUITES, BenchmarkSuite
from benchmarks.warm_fleet import WarmFleet

MODES = ("load", "worksteal", "loadfile")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; answers the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pytest_vs_xdist", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="one round, nothing warmed")
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds; default 5")
    parser.add_argument("--suite", action="append", choices=SUITES, help="only this suite; repeatable")
    parser.add_argument("--mode", action="append", choices=MODES, help="only this mode of xdist; repeatable")
    options = parser.parse_args(arguments)
    rounds = 1 if options.quick else options.rounds
    print(f"pytest_vs_xdist: {machine()}; {rounds} rounds, {SLOTS} slots")
    good = True
    for name in options.suite or SUITES:
        try:
            suite = SUITES[name]()
            with tempfile.TemporaryDirectory() as scratch, WarmFleet(SLOTS, metrics=True) as fleet:
                good &= compare(suite, fleet, Path(scratch), rounds, options.mode or MODES, warm=not options.quick)
        except NotAvailable as missing:
            print(f"{name}: skipped: {missing}")
            return 3
        except (Unfit, TimeoutError) as unfit:
            print(f"MISS {name}: {unfit}")
            good = False
    return 0 if good else 1


def compare(
    suite: BenchmarkSuite, fleet: WarmFleet, scratch: Path, rounds: int, modes: Sequence[str], *, warm: bool
) -> bool:
    """Runs the rounds of one suite and prints its lines; answers whether its goal was met."""
    print(f"\n{suite.name}: {suite.about}")
    ours: list[Measured] = []
    theirs: dict[str, list[Measured]] = {mode: [] for mode in modes}
    for number in range(-1 if warm else 0, rounds):
        line = []
        for mode in modes:
            one = with_xdist(suite, mode, scratch)
            line.append(f"{mode} {one.wall:.2f} s")
            if number >= 0:
                theirs[mode].append(one)
        one = with_fleet(suite, fleet, scratch)
        if number >= 0:
            ours.append(one)
        print(
            f"  {f'round {number + 1}' if number >= 0 else 'warming'}: crossfleet {one.wall:.2f} s, {', '.join(line)}"
        )
        sys.stdout.flush()
    differing = differing_cases([*ours, *(one for each in theirs.values() for one in each)])
    if differing:
        print(f"MISS {suite.name}: the runs do not agree on {len(differing)} cases, such as {differing[0]}: no ratio")
        return False
    return _report(suite, ours, theirs)


def differing_cases(measured: Sequence[Measured]) -> list[str]:
    """What the first run and another one say differently, a line a case."""
    first = measured[0].outcomes
    found: list[str] = []
    for one in measured[1:]:
        cases = [case for case in first.keys() | one.outcomes.keys() if first.get(case) != one.outcomes.get(case)]
        found += [f"{case} ({first.get(case, 'missing')}, {one.outcomes.get(case, 'missing')})" for case in cases]
    return sorted(found)


def _report(suite: BenchmarkSuite, ours: list[Measured], theirs: dict[str, list[Measured]]) -> bool:
    best = min(theirs, key=lambda mode: middle([one.wall for one in theirs[mode]]))
    wall, other = middle([one.wall for one in ours]), middle([one.wall for one in theirs[best]])
    cases = len(ours[0].outcomes)
    cpu = middle([one.cpu for one in ours]) / middle([one.cpu for one in theirs[best]])
    idle = middle([1 - one.testing / (SLOTS * one.wall) for one in ours])
    parts = {name: middle([one.parts.get(name, 0.0) for one in ours]) for name in ours[0].parts}
    spent = ", ".join(f"{name} {used:.2f}" for name, used in sorted(parts.items(), key=lambda item: -item[1]))
    print(f"  {cases} cases, the same outcomes in all runs; best mode of xdist: {best}")
    print(f"  median {wall:.2f} s against {other:.2f} s; CPU ratio {cpu:.2f}; CPU seconds of ours: {spent}")
    print(
        f"  a case: {middle([one.sent for one in ours]) / cases:.0f} bytes and"
        f" {middle([one.messages for one in ours]) / cases:.3f} messages between agent and coordinator;"
        f" slots ran no test in {idle:.0%} of the wall time"
    )
    return verdict(f"{suite.name}: ratio to xdist ({best})", wall / other, suite.goal)


if __name__ == "__main__":
    sys.exit(main())
