"""The interpreter that a suite runs in: one that is there, or one that is built from requirements."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from crossfleet.api.types.v1.suite_pb2 import Environment
from crossfleet.foundation.errors.execution import EnvironmentFailed
from crossfleet.foundation.errors.requests import LocalPathRefused
from crossfleet.worker.building import EnvironmentCache


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python; `programs` is the folder to put first on PATH, where the environment was built for the suite."""

    python: Path
    programs: Path | None = None


class Environments:
    """Finds or builds interpreters."""

    def __init__(self, cache: EnvironmentCache, *, embedded: bool, default: str = "") -> None:
        """`default` is the interpreter of suites that bring no environment; empty: the worker's own."""
        self._cache = cache
        self._embedded = embedded
        self._default = default or sys.executable

    async def resolve(self, environment: Environment, say: Callable[[str], None]) -> Interpreter:
        """The interpreter of an environment. `say` gets what the builder prints.

        Raises LocalPathRefused for a path on a fleet of several machines, EnvironmentFailed when it is not there or
        cannot be built.
        """
        source = environment.WhichOneof("source")
        if source == "requirements":
            folder = await asyncio.to_thread(
                self._cache.get, environment.requirements, environment.python_version or self._default, say
            )
            return Interpreter(folder / "bin" / "python", folder / "bin")
        if source == "local_python" and not self._embedded:
            raise LocalPathRefused(
                "an interpreter by its path works only on the fleet's own machine: describe it by requirements",
                path=environment.local_python,
            )
        return Interpreter(_existing(environment.local_python or self._default))


def _existing(path: str) -> Path:
    python = Path(path)
    if not python.is_absolute():
        raise EnvironmentFailed(f"the interpreter's path {path!r} is not absolute", stage="interpreter")
    if not python.is_file() or not os.access(python, os.X_OK):
        raise EnvironmentFailed(f"there is no interpreter that can be executed at {path}", stage="interpreter")
    return python
