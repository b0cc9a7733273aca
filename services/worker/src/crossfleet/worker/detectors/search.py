"""Asking detectors, each in a process of its own: one that hangs or crashes costs only its own devices."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points

from crossfleet.worker.detectors.detector import Found

GROUP = "crossfleet.detectors"


class Search:
    """Runs detectors one after the other, each for at most `seconds`."""

    def __init__(
        self, seconds: float, found: Callable[[], Sequence[EntryPoint]] | None = None, *, folder: str = ""
    ) -> None:
        """Without `found`: what the installed distributions declare. `folder`: where modules are looked for first."""
        self._seconds = seconds
        self._folder = folder
        self._found = found or (lambda: list(entry_points(group=GROUP)))

    async def all(self, *, without: frozenset[str]) -> dict[str, Sequence[Found] | str]:
        """For each detector that has something to look at, its devices, or why there is no answer."""
        answers: dict[str, Sequence[Found] | str] = {}
        for entry in await asyncio.to_thread(self._found):
            if entry.name not in without:
                answer = await asyncio.to_thread(self._ask, entry)
                if answer is not None:
                    answers[entry.name] = answer
        return answers

    def _ask(self, entry: EntryPoint) -> Sequence[Found] | str | None:
        try:
            if not entry.load()().present():
                return None
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything
            return f"it does not load: {type(error).__name__}: {error}"
        own = [] if self._folder else ["-P"]
        command = [sys.executable, *own, "-m", "crossfleet.worker.detectors", entry.value]
        try:
            answer = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=self._seconds,
                check=False,
                cwd=self._folder or None,
            )
        except subprocess.TimeoutExpired:
            return f"no answer within {self._seconds:g} s"
        if answer.returncode:
            lines = answer.stderr.strip().splitlines()
            return lines[-1] if lines else f"it ended with status {answer.returncode}"
        try:
            found: Sequence[Found] = json.loads(answer.stdout)
        except ValueError:
            return "its answer is not JSON"
        return found
