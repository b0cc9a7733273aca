"""How even shards are: ours and those of pytest-split's algorithms, on the recorded durations of networkx.

Each figure is the longest shard in units of the lower bound, below which no cut can be, by what the cases really take;
beside it the files that are in more than one shard, counted once for each shard more: there module fixtures are set up
again. "30% unknown" hides that part of the durations from all, as an old file does: a long case that nobody knows of is
chance, so that no goal is set there.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.environments import NotAvailable, interpreter
from benchmarks.measuring import machine, verdict
from benchmarks.shards.recorded import Recorded, recorded
from crossfleet.coordinator.core.shards import Piece, cut, lower_bound

COUNTS = (2, 3, 5, 10, 20, 40)
GOAL = 1.03
GOAL_APART = 0.2
_HIDDEN = 0.3
OURS = "crossfleet"


def main() -> int:
    """Prints a table; answers 1 where a goal is missed."""
    print(machine())
    try:
        suite = recorded()
        python = interpreter("pytest-split", ["pytest-split==0.11.0", "pytest==9.2.0"])
    except NotAvailable as missing:
        print(f"not measured: {missing}")
        return 1
    hiding = random.Random(1)
    old = {name: seconds for name, seconds in suite.seconds.items() if hiding.random() >= _HIDDEN}
    print(f"\n{len(suite.ids)} cases, {sum(suite.seconds.values()):.1f} s, 30% unknown")
    _compare(suite, old, python)
    print("\nall known")
    even, apart = _compare(suite, suite.seconds, python)
    met = verdict("longest shard to the lower bound, the worst", even, GOAL)
    met &= verdict("files apart, in parts of least_duration's", apart, GOAL_APART)
    return 0 if met else 1


def _compare(suite: Recorded, known: Mapping[str, float], python: Path) -> tuple[float, float]:
    """Prints a line for each number of shards; answers our worst ratio, and our files apart to least_duration's."""
    worst, apart, theirs = 0.0, 0, 0
    for count in COUNTS:
        cuts = {OURS: _ours(suite.ids, known, count), **_peers(suite.ids, known, count, python)}
        found = {name: (_ratio(suite, shards, count), _files_apart(suite.ids, shards)) for name, shards in cuts.items()}
        cells = [f"{name} {ratio:.3f} ({split:4} apart)" for name, (ratio, split) in found.items()]
        print(f"{count:3} shards: " + "   ".join(cells))
        worst = max(worst, found[OURS][0])
        apart += found[OURS][1]
        theirs += found["least_duration"][1]
    return worst, apart / theirs


def _ours(ids: Sequence[str], known: Mapping[str, float], count: int) -> list[int]:
    pieces = [Piece(name, tuple(name.split("::")[:-1])) for name in ids]
    shard_of = cut(pieces, known, count).shard_of
    return [shard_of[name] for name in ids]


def _peers(ids: Sequence[str], known: Mapping[str, float], count: int, python: Path) -> dict[str, list[int]]:
    asked = json.dumps({"ids": ids, "durations": dict(known), "count": count})
    script = str(Path(__file__).with_name("peer.py"))
    done = subprocess.run([str(python), script], input=asked, capture_output=True, text=True, timeout=120, check=True)
    return dict(json.loads(done.stdout))


def _ratio(suite: Recorded, shards: Sequence[int], count: int) -> float:
    loads = [0.0] * count
    for name, shard in zip(suite.ids, shards, strict=True):
        loads[shard] += suite.seconds.get(name, 0.0)
    return max(loads) / (lower_bound([int(seconds * 1e6) for seconds in suite.seconds.values()], count) / 1e6)


def _files_apart(ids: Sequence[str], shards: Sequence[int]) -> int:
    where: dict[str, set[int]] = {}
    for name, shard in zip(ids, shards, strict=True):
        where.setdefault(name.partition("::")[0], set()).add(shard)
    return sum(len(found) - 1 for found in where.values())


if __name__ == "__main__":
    sys.exit(main())
