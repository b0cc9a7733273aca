"""Calls about the fleet and its workers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from crossfleet.api.coordinator.v1 import fleet_service_pb2 as wire
from crossfleet.api.coordinator.v1.fleet_service_pb2_grpc import FleetServiceStub
from crossfleet.client.connection import Connection
from crossfleet.client.paging import all_items


class FleetCalls:
    """The FleetService of a fleet. Every method raises the CrossfleetError that the fleet answers."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = FleetServiceStub(connection.channel)

    async def summary(self) -> wire.GetFleetResponse:
        """Leader, epoch, workers by state, slots and queue in one answer."""
        request = wire.GetFleetRequest()
        return await self._connection.call(lambda limit: self._stub.GetFleet(request, timeout=limit))

    def workers(self) -> AsyncIterator[wire.WorkerStatus]:
        """Workers, by name."""

        async def fetch(token: str) -> tuple[Iterable[wire.WorkerStatus], str]:
            request = wire.ListWorkersRequest(page_token=token)
            answer = await self._connection.call(lambda limit: self._stub.ListWorkers(request, timeout=limit))
            return answer.workers, answer.next_page_token

        return all_items(fetch)

    async def worker(self, worker_id: str) -> wire.WorkerStatus:
        """One worker and what it holds."""
        request = wire.GetWorkerRequest(worker_id=worker_id)
        return (await self._connection.call(lambda limit: self._stub.GetWorker(request, timeout=limit))).worker

    async def drain(self, worker_id: str, reason: str = "") -> wire.WorkerStatus:
        """Keeps new work away from a worker; what runs on it ends normally."""
        request = wire.DrainWorkerRequest(worker_id=worker_id, reason=reason)
        return (await self._connection.call(lambda limit: self._stub.DrainWorker(request, timeout=limit))).worker

    async def quarantine(self, worker_id: str, reason: str = "") -> wire.WorkerStatus:
        """Doubts a worker: it gets nothing new until it has passed a test and a task."""
        request = wire.QuarantineWorkerRequest(worker_id=worker_id, reason=reason)
        return (await self._connection.call(lambda limit: self._stub.QuarantineWorker(request, timeout=limit))).worker

    async def override_device(self, request: wire.OverrideDeviceRequest) -> wire.WorkerStatus:
        """Says what a device is like instead of its detector, or takes that back."""
        return (await self._connection.call(lambda limit: self._stub.OverrideDevice(request, timeout=limit))).worker

    async def undrain(self, worker_id: str) -> wire.WorkerStatus:
        """Lets a worker take work again that was drained, quarantined or held."""
        request = wire.UndrainWorkerRequest(worker_id=worker_id)
        return (await self._connection.call(lambda limit: self._stub.UndrainWorker(request, timeout=limit))).worker
