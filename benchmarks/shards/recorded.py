"""Durations of networkx's own suite as they were measured here, once."""

from __future__ import annotations

import json
from dataclasses import dataclass

from benchmarks.environments import NotAvailable, cache, environment
from benchmarks.measuring import timed
from benchmarks.pytest_vs_xdist.suites import networkx
from benchmarks.warm_fleet import CROSSFLEET


@dataclass(frozen=True, slots=True)
class Recorded:
    """Ids in the order of the collection, and the seconds of each."""

    ids: tuple[str, ...]
    seconds: dict[str, float]


def recorded() -> Recorded:
    """Runs the suite where no earlier run is in the cache. Raises NotAvailable."""
    report = cache() / "networkx-durations.json"
    if not report.exists():
        suite = networkx()
        command = [CROSSFLEET, "run", "--data", str(cache() / "networkx-data"), "--slots", "2", "--json", str(report)]
        done = timed(
            [*command, "-qq", "--python", str(suite.python), "--", "pytest", *suite.arguments],
            suite.folder,
            environment(),
        )
        if not report.exists():
            raise NotAvailable(f"networkx: {done.output[-300:]}")
    cases = json.loads(report.read_text())["cases"]
    return Recorded(
        tuple(case["id"] for case in cases), {case["id"]: case["seconds"] for case in cases if case["seconds"] > 0}
    )
