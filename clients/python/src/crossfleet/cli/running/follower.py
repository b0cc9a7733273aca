"""`--follow PATTERN`: the captured output of certain cases, shown line by line while they run."""

from __future__ import annotations

import asyncio
from fnmatch import fnmatchcase

from crossfleet.api.coordinator.v1 import event_service_pb2 as wire
from crossfleet.cli.exits import UsageError
from crossfleet.cli.running.tail import CaseTail
from crossfleet.cli.running.view import View
from crossfleet.client import Client
from crossfleet.foundation.errors import CrossfleetError

_MOST_AT_A_TIME = 8
_LAST_SECONDS = 5.0


class Follower:
    """Starts a tail for each case that matches, when it lasts or, for a short one, when it has its verdict."""

    def __init__(self, client: Client, run_id: str, pattern: str, view: View) -> None:
        """`pattern`: a part of an id, in which `*` and `?` match anything; empty follows nothing."""
        self._client = client
        self._run_id = run_id
        self._pattern = pattern
        self._view = view
        self._tails: dict[tuple[str, str], asyncio.Task[None]] = {}

    def heed(self, event: wire.Event) -> None:
        """Take note of what runs, or has ended."""
        if not self._pattern:
            return
        for executing in event.cases_executing.cases:
            self._begin(executing.target, executing.case_id)
        for finished in event.cases_finished.cases:
            self._begin(event.cases_finished.target, finished.case_id)

    async def finish(self) -> None:
        """Wait for what has still to be printed, a few seconds at most."""
        if self._tails:
            _, late = await asyncio.wait(self._tails.values(), timeout=_LAST_SECONDS)
            for tail in late:
                tail.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _begin(self, target: str, case_id: str) -> None:
        key = (target, case_id)
        if key in self._tails or not self._matches(case_id):
            return
        if sum(not tail.done() for tail in self._tails.values()) >= _MOST_AT_A_TIME:
            return  # one that lasts is named again
        self._tails[key] = asyncio.ensure_future(self._tail(target, case_id))

    def _matches(self, case_id: str) -> bool:
        # Brackets belong to ids of parametrised cases.
        pattern = self._pattern.replace("[", "[[]")
        return fnmatchcase(case_id, f"*{pattern}*")

    async def _tail(self, target: str, case_id: str) -> None:
        lines = _Lines(self._view, f"{case_id} [{target}]")
        try:
            await CaseTail(self._client, self._run_id, case_id, target, lines.write).print(follow=True)
        except (CrossfleetError, UsageError) as error:
            self._view.note(f"{case_id} [{target}] cannot be followed: {error}")
        finally:
            lines.end()


class _Lines:
    """Cuts what is written into lines, each with the name of its case."""

    def __init__(self, view: View, name: str) -> None:
        self._view = view
        self._name = name
        self._rest = {"stdout": b"", "stderr": b""}

    def write(self, stream: str, content: bytes) -> None:
        *lines, self._rest[stream] = (self._rest[stream] + content).split(b"\n")
        for line in lines:
            self._show(line)

    def end(self) -> None:
        for rest in self._rest.values():
            if rest:
                self._show(rest)

    def _show(self, line: bytes) -> None:
        self._view.note(f"{self._name} | {line.decode('utf-8', 'backslashreplace')}")
