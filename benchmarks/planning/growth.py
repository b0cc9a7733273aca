"""How the time of a whole plan grows with each dimension alone."""

from __future__ import annotations

from dataclasses import replace
from math import log

from benchmarks.planning.load import Sizes
from benchmarks.planning.measure import Run, timed

_BASE = Sizes(workers=2_000, groups=4_000, shapes=50, projects=20, kinds=10)
_STEPS = (1, 2, 4)


def print_growth() -> None:
    """A line for each dimension: milliseconds at 1, 2 and 4 times the base, and the exponent between the ends."""
    print(f"  growth from {_BASE}")
    print(f"  {'dimension':12}" + "".join(f"{f'x{step}':>10}" for step in _STEPS) + f"{'exponent':>10}")
    for dimension in ("workers", "groups", "shapes", "projects", "kinds", "all"):
        seconds = [_seconds(dimension, step) for step in _STEPS]
        exponent = log(seconds[-1] / seconds[0]) / log(_STEPS[-1])
        print(f"  {dimension:12}" + "".join(f"{one * 1e3:7.1f} ms" for one in seconds) + f"{exponent:10.2f}")


def _seconds(dimension: str, step: int) -> float:
    names = ("workers", "groups", "shapes", "projects", "kinds") if dimension == "all" else (dimension,)
    run = Run(replace(_BASE, **{name: getattr(_BASE, name) * step for name in names}))
    run.plan()
    return min(timed(run.place_anew) for _ in range(3))
