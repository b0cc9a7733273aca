"""Makespans: ours, pytest-xdist's modes and pytest-split's algorithms on recorded suites, in virtual time.

    python -m benchmarks.makespan [--quick] [--record]

What decides is the real thing: crossfleet's state machine with its dispatcher, xdist's scheduler classes, pytest-split's
functions. Slots are played: a case takes what it took when it was recorded, with what it has to set up in its process.
A message takes half a millisecond one way, to xdist's nodes too; what processes, imports and collections cost is left out.

First like slots, durations known from an earlier run to whoever asks for them (xdist does not). Each figure is the makespan
in units of the lower bound, with the set-ups of shared fixtures (of at least 0.1 ms) over and above those of one process.
xdist's modes are on one host; where each slot is a host of its own, ours is held against pytest-split. Then hosts of unlike
speed, 1 to 8: nobody is told, ours finds out; where all could be over in 0.3 s it is left out: a twentieth of that is less than finding out takes.
What is less than 10 ms counts as nothing. Exits 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence

from benchmarks.environments import NotAvailable
from benchmarks.makespan import fleet_side, split_side, xdist_side
from benchmarks.makespan.outcome import Outcome, lower_bound
from benchmarks.makespan.recording import SUITES, Recording, load, record
from benchmarks.measuring import machine, verdict

COUNTS = (2, 4, 8, 16)
DELAY = 0.0005
WORST_TO_BEST = 1.02
NOTHING = 0.01
UNLIKE_SUITES = ("networkx", "starlette", "pygments")
UNLIKE_COUNTS = (4, 8, 16)
SHORTEST = 0.3
DRAWS = 5
WORST_TO_BOUND = 1.05
WORST_TO_STATIC = 0.8


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the tables; answers the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.makespan", description=__doc__.split("\n\n")[0])
    parser.add_argument("--record", action="store_true", help="run the suites alone and write their recordings anew")
    parser.add_argument("--quick", action="store_true", help="one draw of speeds")
    options = parser.parse_args(arguments)
    print(machine())
    try:
        if options.record:
            for subject in SUITES:
                record(subject)
        suites = [load(subject.name) for subject in SUITES]
        met = verdict("makespan to the best of the others, the worst", _compare(suites), WORST_TO_BEST)
        to_bound, to_static = _compare_unlike(suites, 1 if options.quick else DRAWS)
    except NotAvailable as missing:
        print(f"not measured: {missing}")
        return 1
    met &= verdict("unlike hosts: makespan to the lower bound, the worst", to_bound, WORST_TO_BOUND)
    met &= verdict("unlike hosts: makespan to static splitting, the worst", to_static, WORST_TO_STATIC)
    return 0 if met else 1


def _compare(suites: Sequence[Recording]) -> float:
    """Prints a line for each suite and number of slots; answers the worst ratio of ours to the best of the others."""
    worst = 0.0
    for suite in suites:
        work = [case.seconds for case in suite.cases]
        print(f"\n{suite.name}: {len(work)} cases, {sum(work):.2f} s, longest {max(work):.2f} s")
        for count in COUNTS:
            bound = lower_bound(work, [1.0] * count)
            ours, tasks = fleet_side.replay(suite, [[1.0] * count], DELAY)
            spread, _ = fleet_side.replay(suite, [[1.0]] * count, DELAY)
            first, _ = fleet_side.replay(suite, [[1.0] * count], DELAY, ())
            others = {mode: xdist_side.replay(mode, suite, [1.0] * count, DELAY) for mode in xdist_side.MODES}
            others |= split_side.replay(suite, [1.0] * count)
            best = min(one.makespan for one in others.values())
            static = min(others[name].makespan for name in others.keys() - xdist_side.MODES.keys())
            cells = {"ours": ours, "ours, a host a slot": spread, "ours, nothing known": first, **others}
            text = "  ".join(f"{name} {_cell(suite, one, bound)}" for name, one in cells.items())
            ratio = max(_ratio(ours.makespan, best), _ratio(spread.makespan, static))
            print(f"{count:3} slots, bound {bound:.3f} s: {text}  | to the best {ratio:.3f}, {tasks} tasks")
            worst = max(worst, ratio)
    return worst


def _ratio(ours: float, other: float) -> float:
    return ours / other if ours - other > NOTHING else min(ours / other, 1.0)


def _cell(suite: Recording, one: Outcome, bound: float) -> str:
    return f"{one.makespan / bound:.3f} (+{one.set_ups - suite.least_set_ups})"


def _compare_unlike(suites: Sequence[Recording], draws: int) -> tuple[float, float]:
    """The same for hosts of unlike speed, one slot each; answers the worst ratios to the bound and to static splitting."""
    worst, static = 0.0, 0.0
    for suite in suites:
        if suite.name not in UNLIKE_SUITES:
            continue
        print(f"\n{suite.name}, speeds 1 to 8")
        for count in UNLIKE_COUNTS:
            for seed in range(draws):
                drawn = random.Random(seed)
                speeds = [drawn.uniform(1.0, 8.0) for _ in range(count)]
                bound = lower_bound([case.seconds for case in suite.cases], speeds)
                if bound < SHORTEST:
                    continue
                ours, _ = fleet_side.replay(suite, [[speed] for speed in speeds], DELAY)
                split = min(one.makespan for one in split_side.replay(suite, speeds).values())
                steal = xdist_side.replay("worksteal", suite, speeds, DELAY).makespan
                print(
                    f"{count:3} slots, seed {seed}, bound {bound:.3f} s: ours {ours.makespan / bound:.3f}"
                    f"  worksteal {steal / bound:.3f}  pytest-split {split / bound:.3f}"
                )
                worst = max(worst, _ratio(ours.makespan, bound))
                static = max(static, ours.makespan / split)
    return worst, static


if __name__ == "__main__":
    sys.exit(main())
