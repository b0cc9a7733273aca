"""WorkerService: the door for agents."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc

from crossfleet.api.worker.v1 import worker_service_pb2 as worker_pb2
from crossfleet.api.worker.v1 import worker_service_pb2_grpc as worker_grpc
from crossfleet.coordinator.observing import Observer
from crossfleet.coordinator.sessions.fleet import FleetSessions


class WorkerServicer(worker_grpc.WorkerServiceServicer):
    """One stream a worker; everything of interest is in the sessions."""

    def __init__(self, sessions: FleetSessions, observer: Observer) -> None:
        """Serves `sessions`; `observer` sees what passes."""
        self._sessions = sessions
        self._observer = observer

    async def Connect(
        self, requests: AsyncIterator[worker_pb2.ConnectRequest], context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[worker_pb2.ConnectResponse]:
        """The session. Ends with SESSION_REPLACED, LEASE_LOST, QUEUE_FULL or quietly when the coordinator goes down."""
        async for response in self._sessions.serve(self._observer.hearing(requests)):
            self._observer.told(response)
            yield response
