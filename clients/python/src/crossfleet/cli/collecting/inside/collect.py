"""Entry: run by path with the suite's own interpreter, ``python collect.py PLAN FOUND``: what plain pytest would run.

PLAN is a JSON file with ``arguments`` and ``as_module``; FOUND gets the ids of the cases, as a fleet calls them, as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Dict, List


class Collection:
    """Plugin: writes down what was collected, after ``-k``, ``-m`` and every plugin have selected."""

    def __init__(self, path: str) -> None:
        self._path = path

    def pytest_addoption(self, parser: Any) -> None:
        """Know ``--fleet``, which may stand in addopts: this is no run."""
        try:
            group = parser.getgroup("crossfleet")
            group.addoption("--fleet", action="store_true", help="ignored here")
            group.addoption("--fleet-slots", help="ignored here")
        except ValueError:
            pass

    def pytest_collection_finish(self, session: Any) -> None:
        """Write the ids; the second item of one id gets ``#2``."""
        seen: Dict[str, int] = {}
        ids: List[str] = []
        for item in session.items:
            count = seen[item.nodeid] = seen.get(item.nodeid, 0) + 1
            ids.append(item.nodeid if count == 1 else "{}#{}".format(item.nodeid, count))
        with open(self._path, "w", encoding="ascii") as file:
            json.dump(ids, file)


def main(plan_path: str, found_path: str) -> int:
    """Be pytest. Returns its exit status."""
    here = os.path.dirname(os.path.abspath(__file__))
    with open(plan_path, encoding="utf-8") as file:
        plan = json.load(file)
    arguments = ["--collect-only", "-q"] + plan["arguments"]
    sys.argv[:] = [os.path.join(os.path.dirname(sys.executable), "pytest")] + arguments
    if sys.path and os.path.abspath(sys.path[0]) == here:
        sys.path[0] = os.getcwd() if plan["as_module"] else os.path.dirname(sys.executable)
    import pytest

    return int(pytest.main(arguments, plugins=[Collection(found_path)]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
