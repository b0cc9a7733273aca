"""Where suites ran lately, and where environments are built: what is done there already need not be done again.

A memory, not a fact of the ledger: another leader begins with what is still running.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from crossfleet.coordinator.core.commands import TargetSpec

# Of so many suites and environments, the last workers of each.
_MOST_KEYS, _MOST_WORKERS = 1024, 32


class Warmth:
    """Bounded: what was used longest ago is forgotten first."""

    def __init__(self) -> None:
        """Everything is cold."""
        self._workers: dict[Hashable, dict[str, None]] = {}

    def note(self, suite: tuple[str, str, str], target: TargetSpec, worker_id: str) -> None:
        """A case of a suite (project, name, runner kind) has shown something on a worker."""
        for key in _keys(suite, target):
            workers = self._workers.pop(key, {})
            workers.pop(worker_id, None)
            workers[worker_id] = None
            if len(workers) > _MOST_WORKERS:
                del workers[next(iter(workers))]
            self._workers[key] = workers
        while len(self._workers) > _MOST_KEYS:
            del self._workers[next(iter(self._workers))]

    def of(self, suite: tuple[str, str, str], target: TargetSpec) -> list[str]:
        """The workers on which the suite ran with this environment, then those that have built the latter; the last first."""
        found = (name for key in _keys(suite, target) for name in reversed(self._workers.get(key, {})))
        return list(dict.fromkeys(found))


def _keys(suite: tuple[str, str, str], target: TargetSpec) -> Iterator[Hashable]:
    yield (*suite, target.environment)
    if target.environment:
        yield target.environment
