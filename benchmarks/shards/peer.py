"""Cuts with pytest-split's algorithms, in its own environment: JSON on standard input, the shard of each case on output.

Standard library and pytest-split only.
"""

import json
import sys
from types import SimpleNamespace

from pytest_split.algorithms import Algorithms


def main() -> None:
    """For each algorithm the shard of each case, in the order of the cases."""
    asked = json.load(sys.stdin)
    items = [SimpleNamespace(nodeid=name) for name in asked["ids"]]
    found = {}
    for algorithm in Algorithms:
        groups = algorithm.value(asked["count"], items, dict(asked["durations"]))
        shard_of = {item.nodeid: shard for shard, group in enumerate(groups) for item in group.selected}
        found[algorithm.name] = [shard_of[name] for name in asked["ids"]]
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
