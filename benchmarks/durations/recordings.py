"""Seconds of every case of suites that others wrote, over several runs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environments import NotAvailable, cache, environment
from benchmarks.measuring import timed
from benchmarks.warm_fleet import CROSSFLEET
from tests.truth.subjects import Subject, made_ready
from tests.truth.suites import CLICK, NETWORKX, PACKAGING

SLOTS = 2
_MEASURED = frozenset(("passed", "failed", "xfailed", "xpassed", "error"))


@dataclass(frozen=True, slots=True)
class Recording:
    """A suite and, for each run of it, seconds by case id."""

    name: str
    runs: Sequence[Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class _Part:
    """What of a suite is recorded: all of it would take minutes a run."""

    subject: Subject
    arguments: tuple[str, ...] = ()


_PARTS = (
    _Part(CLICK),
    _Part(PACKAGING, ("tests/test_markers.py", "tests/test_requirements.py", "tests/test_tags.py")),
    _Part(NETWORKX, ("--pyargs", "networkx.classes", "networkx.algorithms.flow", "networkx.algorithms.shortest_paths")),
)


def recordings(runs: int) -> list[Recording]:
    """Records what the cache lacks. Raises NotAvailable."""
    return [Recording(part.subject.name, [_run(part, number) for number in range(runs)]) for part in _PARTS]


def _run(part: _Part, number: int) -> dict[str, float]:
    report = cache() / f"durations-{part.subject.name}-{number}.json"
    if not report.exists():
        laid = made_ready(part.subject)
        with tempfile.TemporaryDirectory(prefix="cf-bench-") as data:
            whole = Path(data) / "report.json"
            words = (
                "--data",
                f"{data}/fleet",
                "--slots",
                str(SLOTS),
                "--json",
                str(whole),
                "--python",
                str(laid.python),
            )
            arguments = part.arguments or laid.arguments
            command = [CROSSFLEET, "run", "-qq", *words, "--", "pytest", *arguments]
            done = timed(command, laid.root, environment())
            if not whole.exists():
                raise NotAvailable(f"{part.subject.name}: {done.output[-300:]}")
            cases = json.loads(whole.read_text())["cases"]
        kept = {case["id"]: case["seconds"] for case in cases if case["outcome"] in _MEASURED and case["seconds"] > 0}
        report.write_text(json.dumps(kept))
    found: dict[str, float] = json.loads(report.read_text())
    return found
