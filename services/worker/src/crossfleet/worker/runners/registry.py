"""The runners that are installed here."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points

from crossfleet.foundation.errors.installation import PluginFailed
from crossfleet.foundation.errors.missing import RunnerNotFound
from crossfleet.worker.runners.runner import AgentRunner, ProcessRunner

GROUP = "crossfleet.runners"
BY_NUMBER = frozenset({"noop"})
"""Kinds that execute by number the cases that a run names; known without loading them."""


class Runners:
    """Runners by kind, loaded when they are first used."""

    def __init__(self, found: Mapping[str, EntryPoint] | None = None) -> None:
        """Without `found`: what the installed distributions declare."""
        self._found = found if found is not None else {entry.name: entry for entry in entry_points(group=GROUP)}
        self._loaded: dict[str, ProcessRunner | AgentRunner] = {}

    @property
    def names(self) -> list[str]:
        """The kinds, sorted."""
        return sorted(self._found)

    def get(self, kind: str) -> ProcessRunner | AgentRunner:
        """The runner of a kind. Raises RunnerNotFound, or PluginFailed when it does not load."""
        if kind not in self._loaded:
            entry = self._found.get(kind)
            if entry is None:
                raise RunnerNotFound(f"no runner {kind!r} here; there are {', '.join(self.names)}", runner=kind)
            self._loaded[kind] = _load(entry)
        return self._loaded[kind]


def _load(entry: EntryPoint) -> ProcessRunner | AgentRunner:
    try:
        runner = entry.load()()
    except Exception as error:  # a plugin may raise anything
        raise PluginFailed(
            f"runner {entry.name!r} does not load: {error}", plugin=entry.name, category=GROUP
        ) from error
    if not isinstance(runner, ProcessRunner | AgentRunner):
        raise PluginFailed(
            f"runner {entry.name!r} has neither `launch` nor `collect` and `execute`", plugin=entry.name, category=GROUP
        )
    return runner
