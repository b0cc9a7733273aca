"""The captured output of one case, live while it runs and complete when it has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from crossfleet.api.coordinator.v1 import inspection_service_pb2 as wire
from crossfleet.api.types.v1 import result_pb2
from crossfleet.cli.exits import UsageError
from crossfleet.client import Client

_POLL_SECONDS = 0.3
_WAITING_SECONDS = 1.0

Write = Callable[[str, bytes], None]
"""Writes to `stdout` or `stderr`."""


class CaseTail:
    """Prints each byte once, whether it was seen live or stands in the result."""

    def __init__(self, client: Client, run_id: str, case_id: str, target: str, write: Write) -> None:
        self._client = client
        self._run_id = run_id
        self._case_id = case_id
        self._target = target
        self._write = write
        self._places = wire.OutputPlaces()
        self._printed = {"stdout": 0, "stderr": 0}

    async def print(self, *, follow: bool) -> result_pb2.CaseRecord:
        """Print what there is; with `follow` go on until the case has its verdict. Answers the case as it is then.

        Raises the fleet's error for a case that the run does not have, UsageError where it runs on several targets.
        """
        while True:
            running = await self._look()
            if running and not follow:
                return result_pb2.CaseRecord(case_id=self._case_id, target=self._target)
            if not running:
                record = await self._client.runs.case(self._run_id, self._case_id, target=self._target)
                if record.outcome:
                    self._print_rest(record.result)
                if record.outcome or not follow:
                    return record
            await asyncio.sleep(_POLL_SECONDS if running else _WAITING_SECONDS)

    async def _look(self) -> bool:
        """Print what has come; False while the case does not run."""
        found = await self._client.inspection.cases(
            self._run_id, target=self._target, case_id=self._case_id, output=self._places
        )
        if len(found.cases) > 1:
            names = ", ".join(case.target for case in found.cases)
            raise UsageError(f"{self._case_id} runs on several targets: choose one with --target ({names})")
        for case in found.cases:
            if not case.HasField("places"):
                raise UsageError(
                    f"{self._case_id} captures nothing at descriptors: `crossfleet logs` without --case has what it prints"
                )
            self._put("stdout", case.stdout)
            self._put("stderr", case.stderr)
            self._places.CopyFrom(case.places)
        return bool(found.cases)

    def _print_rest(self, result: result_pb2.CaseResult) -> None:
        for name in ("stdout", "stderr"):
            content = b"".join(section.content for section in result.sections if f" {name} " in section.title)
            self._put(name, content[self._printed[name] :])

    def _put(self, name: str, content: bytes) -> None:
        if content:
            self._printed[name] += len(content)
            self._write(name, content)
