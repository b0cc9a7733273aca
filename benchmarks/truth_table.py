"""A table of whole suites that others wrote: wall time of plain pytest, of `pytest -n 2` in its best mode, of a warm fleet.

    python -m benchmarks.truth_table [--rounds N] [--suite NAME]

The suites are those of `tests/truth`, which compares what they show case by case; here they are timed only, one after
the other, with the ratio of CPU seconds, which is steadier on a busy machine, and the load beside them. The fleet is up,
has two slots and has run the suite once before, as one that is kept up does. Exits 1 where crossfleet is slower than
1.05 of xdist on a suite, or above 0.75 on geometric mean.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import geometric_mean

from benchmarks.environments import NotAvailable
from benchmarks.measuring import machine, middle, verdict
from benchmarks.pytest_vs_xdist.__main__ import MODES, differing_cases
from benchmarks.pytest_vs_xdist.sides import SLOTS, Measured, Unfit, with_fleet, with_pytest, with_xdist
from benchmarks.pytest_vs_xdist.suites import BenchmarkSuite
from benchmarks.warm_fleet import WarmFleet
from tests.truth.subjects import Subject, made_ready
from tests.truth.suites import SUITES

WORST_RATIO = 1.05
MEAN_RATIO = 0.75
UNCACHED = ("-p", "no:cacheprovider")
COLUMNS = "{:20} {:>6} {:>8} {:>8} {:10} {:>10} {:>6} {:>5}  {}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; answers the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.truth_table", description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each suite, whose medians count; default 3")
    parser.add_argument("--suite", action="append", choices=[subject.name for subject in SUITES])
    options = parser.parse_args(arguments)
    print(f"truth_table: {machine()}; {options.rounds} rounds, {SLOTS} slots")
    print(COLUMNS.format("suite", "cases", "pytest", f"-n {SLOTS}", "best mode", "crossfleet", "ratio", "CPU", "notes"))
    ratios: dict[str, float] = {}
    missing = 0
    for subject in SUITES:
        if options.suite and subject.name not in options.suite:
            continue
        try:
            with tempfile.TemporaryDirectory() as scratch, WarmFleet(SLOTS, metrics=True) as fleet:
                ratios[subject.name] = measure(subject, fleet, Path(scratch), options.rounds)
        except (NotAvailable, Unfit, TimeoutError) as reason:
            print(f"{subject.name}: not measured: {reason}", flush=True)
            missing += 1
    if not ratios:
        return 3
    slowest = max(ratios, key=lambda name: ratios[name])
    good = verdict(f"largest ratio ({slowest})", ratios[slowest], WORST_RATIO)
    good &= verdict("geometric mean of the ratios", geometric_mean(ratios.values()), MEAN_RATIO)
    return 0 if good and not missing else 1


def measure(subject: Subject, fleet: WarmFleet, scratch: Path, rounds: int) -> float:
    """Runs the rounds of one suite, prints its line, answers the ratio. Raises NotAvailable and Unfit."""
    laid = made_ready(subject)
    arguments = (*UNCACHED, *laid.arguments)
    suite = BenchmarkSuite(subject.name, ", ".join(subject.styles), laid.root, laid.python, arguments, WORST_RATIO)
    load = os.getloadavg()[0]
    alone: list[Measured] = []
    ours: list[Measured] = []
    theirs: dict[str, list[Measured]] = {}
    notes: list[str] = []
    with_xdist(
        suite, MODES[0], scratch
    )  # not counted: bytecode, disk caches, and what a fleet imports for its first run
    with_fleet(suite, fleet, scratch)
    for _ in range(rounds):
        alone.append(with_pytest(suite, scratch))
        for mode in MODES:
            try:
                theirs.setdefault(mode, []).append(with_xdist(suite, mode, scratch))
            except Unfit as unfit:
                notes.append(str(unfit).splitlines()[0])
        ours.append(with_fleet(suite, fleet, scratch))
    medians = {mode: middle([one.wall for one in measured]) for mode, measured in theirs.items() if measured}
    if not medians:
        raise Unfit("; ".join(notes))
    best = min(medians, key=lambda mode: medians[mode])
    differing = differing_cases([alone[0], ours[-1]])
    if differing:
        notes.append(f"{len(differing)} ids not alike")
    mine = middle([one.wall for one in ours])
    words = [f"{seconds:.1f} s" for seconds in (middle([one.wall for one in alone]), medians[best], mine)]
    ratio = mine / medians[best]
    notes.append(f"load {load:.1f}")
    cases = len(ours[0].outcomes)
    cpu = middle([one.cpu for one in ours]) / middle([one.cpu for one in theirs[best]])
    figures = (best, words[2], f"{ratio:.2f}", f"{cpu:.2f}")
    print(COLUMNS.format(subject.name, cases, *words[:2], *figures, "; ".join(notes)), flush=True)
    return ratio


if __name__ == "__main__":
    sys.exit(main())
