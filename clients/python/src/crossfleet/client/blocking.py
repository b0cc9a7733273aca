"""The client for code without an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self, TypeVar

from crossfleet.api.types.v1 import result_pb2, run_pb2
from crossfleet.client.client import Client
from crossfleet.client.endpoint import Endpoint

Answer = TypeVar("Answer")


class BlockingClient:
    """Runs the calls of a Client on an event loop of its own, one at a time, in the calling thread.

    For all that has no method here: `client.call(lambda c: c.fleet.drain("gpu-1"))`.
    """

    def __init__(self, endpoint: Endpoint, *, timeout: float = 30.0) -> None:
        self._runner = asyncio.Runner()
        self._client = self._runner.run(self._open(endpoint, timeout))

    @staticmethod
    async def _open(endpoint: Endpoint, timeout: float) -> Client:
        return Client.open(endpoint, timeout=timeout)

    def call(self, work: Callable[[Client], Awaitable[Answer]]) -> Answer:
        """The answer of `work(client)`. Raises what it raises."""

        async def awaited() -> Answer:
            return await work(self._client)

        return self._runner.run(awaited())

    def submit(self, spec: run_pb2.RunSpec, *, request_id: str | None = None) -> run_pb2.Run:
        """Commits a run and answers it."""
        return self.call(lambda client: client.runs.submit(spec, request_id=request_id)).run

    def wait(self, run_id: str) -> run_pb2.Run:
        """Waits for the end of a run and answers it with verdict and counts."""

        async def finished(client: Client) -> run_pb2.Run:
            async for _ in client.events.watch(after="0", run_id=run_id, until_finished=True):
                pass
            return await client.runs.get(run_id)

        return self.call(finished)

    def cases(self, run_id: str, *, full_results: bool = False) -> list[result_pb2.CaseRecord]:
        """All cases of a run."""

        async def gathered(client: Client) -> list[result_pb2.CaseRecord]:
            return [case async for case in client.runs.cases(run_id, full_results=full_results)]

        return self.call(gathered)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes channel and loop."""
        self._runner.run(self._client.close())
        self._runner.close()
