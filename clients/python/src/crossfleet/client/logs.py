"""What the processes of a run wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator

from crossfleet.api.coordinator.v1 import log_service_pb2 as wire
from crossfleet.api.coordinator.v1.log_service_pb2_grpc import LogServiceStub
from crossfleet.client.connection import Connection
from crossfleet.foundation.errors.status import translated


class LogCalls:
    """The LogService of a fleet."""

    def __init__(self, connection: Connection) -> None:
        self._stub = LogServiceStub(connection.channel)

    async def read(
        self, run_id: str, *, target: str = "", worker_id: str = "", follow: bool = False
    ) -> AsyncIterator[wire.LogChunk]:
        """Stored output of a run, and with `follow` what comes until the run ends. Raises the fleet's error."""
        request = wire.ReadLogsRequest(run_id=run_id, target=target, worker_id=worker_id, follow=follow)
        with translated():
            async for response in self._stub.ReadLogs(request):
                for chunk in response.chunks:
                    yield chunk
