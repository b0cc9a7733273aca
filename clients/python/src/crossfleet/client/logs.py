"""What the processes of a run wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing

import grpc

from crossfleet.api.coordinator.v1 import log_service_pb2 as wire
from crossfleet.api.coordinator.v1.log_service_pb2_grpc import LogServiceStub
from crossfleet.api.types.v1 import run_pb2
from crossfleet.client.connection import Connection
from crossfleet.client.runs import RunCalls
from crossfleet.foundation.errors import CrossfleetError

_DRAINED_PAUSE_SECONDS = 0.2


class LogCalls:
    """The LogService of a fleet."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = LogServiceStub(connection.channel)
        self._runs = RunCalls(connection)

    async def read(
        self, run_id: str, *, target: str = "", worker_id: str = "", follow: bool = False
    ) -> AsyncIterator[wire.LogChunk]:
        """Stored output of a run, and with `follow` what comes until the run ends. Raises the fleet's error.

        A stream that breaks off is read again from its beginning, and what has come is left out.
        """
        request = wire.ReadLogsRequest(run_id=run_id, target=target, worker_id=worker_id, follow=follow)
        pursuit = self._connection.pursuit()
        seen = _Seen()
        while True:
            seen.again()
            try:
                await pursuit.begin()
                async with aclosing(self._connection.attend(pursuit, self._stub.ReadLogs(request))) as responses:
                    async for response in responses:
                        pursuit.advanced()
                        for chunk in seen.fresh(response.chunks):
                            yield chunk
                if not follow or await self._ended(run_id):
                    return
                # A server that drains ends its streams in this way too.
                await self._connection.channel.clock.sleep(_DRAINED_PAUSE_SECONDS)
            except (grpc.RpcError, CrossfleetError) as failure:
                await pursuit.after(failure)

    async def _ended(self, run_id: str) -> bool:
        return (await self._runs.get(run_id)).state == run_pb2.RUN_STATE_FINISHED


_Slot = tuple[str, str, int, int]


class _Seen:
    """How far the output of each slot was read: by its times, as another coordinator may have stored less of it."""

    def __init__(self) -> None:
        self._newest: dict[_Slot, tuple[float, int]] = {}
        self._present: dict[_Slot, tuple[float, int]] = {}

    def again(self) -> None:
        """What comes now comes from the beginning."""
        self._present.clear()

    def fresh(self, chunks: Iterable[wire.LogChunk]) -> list[wire.LogChunk]:
        """Those that have not come before."""
        return [chunk for chunk in chunks if self._is_fresh(chunk)]

    def _is_fresh(self, chunk: wire.LogChunk) -> bool:
        slot = (chunk.target, chunk.worker_id, chunk.slot, chunk.stream)
        before, number = self._present.get(slot, (0.0, 0))
        at = max(before, chunk.unix_seconds)  # a clock may be set back
        place = self._present[slot] = (at, number + 1 if at == before else 1)
        if place <= self._newest.get(slot, (0.0, 0)):
            return False
        self._newest[slot] = place
        return True
