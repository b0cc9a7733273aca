"""How a whole plan and a cycle do with other fleets and queues than the one that has the goals."""

from __future__ import annotations

from benchmarks.measuring import middle
from benchmarks.planning.load import Sizes
from benchmarks.planning.measure import Run, timed

MIXES = {
    "as above": Sizes(),
    "1,000 shapes": Sizes(shapes=1_000),
    "1,000 projects": Sizes(projects=1_000),
    "400 kinds of workers": Sizes(kinds=400),
    "one kind, one project": Sizes(kinds=1, projects=1),
    "400 workers of 100 slots": Sizes(workers=400, slots=100),
    "40,000 workers of one slot": Sizes(workers=40_000, slots=1),
    "gangs, whole hosts, preferences": Sizes(wishes=True),
    "devices in portions": Sizes(sharing=True),
    "a queue ten times as long": Sizes(groups=200_000),
    "a tenth of all, with wishes": Sizes(1_000, 2_000, wishes=True),
}


def print_mixes(cycles: int) -> None:
    """A line for each: milliseconds of a whole plan, of cycles after a hundred completions, and what these place."""
    print(f"  {'mix':34}{'whole plan':>12}{'cycle':>10}{'slowest':>10}{'placed':>8}")
    for name, sizes in MIXES.items():
        run = Run(sizes)
        run.plan()
        whole = middle([timed(run.place_anew) for _ in range(2)])
        run.accept()
        each, placed = [], []
        for _ in range(cycles):
            each.append(run.cycle(100))
            placed.append(run.placed)
        print(
            f"  {name:34}{whole * 1e3:9.0f} ms{middle(each) * 1e3:7.1f} ms{max(each) * 1e3:7.1f} ms{middle(placed):8.0f}"
        )
