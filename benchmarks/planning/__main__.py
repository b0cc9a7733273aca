"""Planning at the size of a large fleet: a whole plan, a cycle after a hundred completions, and how time grows.

    python -m benchmarks.planning [--quick] [--cycles N]

The planning core alone, no process and no message, on one core: a cycle is from the rows that changed to the plan; what
messages add to it is a line of its own. A load asks for twice the slots that its fleet has. What a naive planner of the
same order takes is measured at a twentieth of the size, beside ours at that size. Exits 1 where a goal is missed.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence

from benchmarks.measuring import machine, middle, verdict
from benchmarks.planning.growth import print_growth
from benchmarks.planning.load import Sizes, rows
from benchmarks.planning.measure import Run, memory_of_a_waiting_group, timed
from benchmarks.planning.mixes import print_mixes
from benchmarks.planning.naive import place_naively
from benchmarks.planning.served import print_served

GOAL_WHOLE = 0.250
GOAL_CYCLE = 0.005
GOAL_RATE = 50_000.0
GOAL_MEMORY = 2048.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; answers the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.planning", description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="few cycles, no tables of growth and other mixes")
    parser.add_argument("--cycles", type=int, default=60, help="cycles after completions; default 60")
    options = parser.parse_args(arguments)
    sizes = Sizes()
    print(f"planning: {machine()}")
    print(f"  {sizes}")
    gc.disable()  # As long as a cycle takes; what is measured makes no rings of objects.
    run = Run(sizes)
    first = timed(run.plan)
    fresh = timed(run.plan_afresh)
    again = middle([timed(run.place_anew) for _ in range(2 if options.quick else 5)])
    run.accept()
    cycles = [run.cycle(100) for _ in range(10 if options.quick else options.cycles)]
    rate = run.allocations / again
    print(f"  {run.allocations} allocations; {run.waiting} groups wait")
    print(f"  first plan, selectors compiled and judged, fleet sorted: {first * 1e3:8.1f} ms")
    print(f"  plan of a new planner that knows the selectors:          {fresh * 1e3:8.1f} ms")
    small = Sizes(sizes.workers // 20, sizes.groups // 20, sizes.shapes, sizes.projects, sizes.kinds)
    ours, theirs = timed(Run(small).plan), timed(lambda: place_naively(rows(small)))
    print(
        f"  naive planner, {small.workers} workers: {theirs * 1e3:.0f} ms, ours {ours * 1e3:.0f} ms: {ours / theirs:.3f}"
    )
    print_served(sizes, 10 if options.quick else options.cycles)
    if not options.quick:
        print_growth()
        print_mixes(20)
    met = verdict("everything placed anew", again * 1e3, GOAL_WHOLE * 1e3, " ms")
    met &= verdict("cycle after 100 completions, median", middle(cycles) * 1e3, GOAL_CYCLE * 1e3, " ms")
    met &= verdict("allocations a second", rate, GOAL_RATE, at_least=True)
    met &= verdict("memory of a waiting group", memory_of_a_waiting_group(), GOAL_MEMORY, " bytes")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
