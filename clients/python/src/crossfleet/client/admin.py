"""Calls of those who look after a fleet."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence

import grpc

from crossfleet.api.coordinator.v1 import admin_service_pb2 as wire
from crossfleet.api.coordinator.v1.admin_service_pb2_grpc import AdminServiceStub
from crossfleet.client.connection import Connection
from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.errors.status import error_from_rpc
from crossfleet.foundation.following.pursuit import pursue

_COUNTING_SECONDS = 600.0


class AdminCalls:
    """The AdminService of a fleet. Every method raises the CrossfleetError that the fleet answers."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = AdminServiceStub(connection.channel)

    async def retention(self, *, count: bool = False) -> wire.GetRetentionResponse:
        """How long things are kept; with `count` what would be removed now, which may take minutes."""
        request = wire.GetRetentionRequest(count=count)
        connection = self._connection
        limit = _COUNTING_SECONDS if count else connection.timeout
        return await pursue(
            connection.channel, lambda: self._stub.GetRetention(request, timeout=limit), connection.outage_seconds
        )

    async def semaphores(self) -> Sequence[wire.Semaphore]:
        """All semaphores, by name, with who holds them."""
        request = wire.ListSemaphoresRequest()
        answer = await self._connection.call(lambda limit: self._stub.ListSemaphores(request, timeout=limit))
        return list(answer.semaphores)

    async def set_semaphore(self, name: str, capacity: int) -> wire.Semaphore:
        """Says how much there is of a semaphore, new or known."""
        request = wire.SetSemaphoreRequest(name=name, capacity=capacity)
        return (await self._connection.call(lambda limit: self._stub.SetSemaphore(request, timeout=limit))).semaphore

    async def remove_semaphore(self, name: str) -> None:
        """Removes a semaphore that no open run names."""
        request = wire.RemoveSemaphoreRequest(name=name)
        await self._connection.call(lambda limit: self._stub.RemoveSemaphore(request, timeout=limit))

    async def quotas(self) -> Sequence[wire.QuotaStatus]:
        """All quotas, by project, with who holds what."""
        request = wire.ListQuotasRequest()
        return list((await self._connection.call(lambda limit: self._stub.ListQuotas(request, timeout=limit))).quotas)

    async def set_quota(self, quota: wire.Quota) -> wire.QuotaStatus:
        """Limits a project, in place of what limited it before."""
        request = wire.SetQuotaRequest(quota=quota)
        return (await self._connection.call(lambda limit: self._stub.SetQuota(request, timeout=limit))).quota

    async def remove_quota(self, project: str) -> None:
        """Lifts a project's limits."""
        request = wire.RemoveQuotaRequest(project=project)
        await self._connection.call(lambda limit: self._stub.RemoveQuota(request, timeout=limit))

    async def priority_classes(self) -> Sequence[wire.PriorityClass]:
        """All priority classes, the highest priority first."""
        request = wire.ListPriorityClassesRequest()
        answer = await self._connection.call(lambda limit: self._stub.ListPriorityClasses(request, timeout=limit))
        return list(answer.priority_classes)

    async def set_priority_class(self, one: wire.PriorityClass) -> wire.PriorityClass:
        """Makes a priority class, or changes what one is to runs to come."""
        request = wire.SetPriorityClassRequest(priority_class=one)
        answer = await self._connection.call(lambda limit: self._stub.SetPriorityClass(request, timeout=limit))
        return answer.priority_class

    async def remove_priority_class(self, name: str) -> None:
        """Removes a priority class; its runs keep what it was."""
        request = wire.RemovePriorityClassRequest(name=name)
        await self._connection.call(lambda limit: self._stub.RemovePriorityClass(request, timeout=limit))

    async def schedulers(self) -> list[wire.SchedulerStanding]:
        """How each scheduler stands, the fallback first."""
        request = wire.GetSchedulerRequest()
        answer = await self._connection.call(lambda limit: self._stub.GetScheduler(request, timeout=limit))
        return list(answer.schedulers)

    async def reserve(self, reservation: wire.Reservation) -> wire.Reservation:
        """Keeps workers for a project."""
        request = wire.MakeReservationRequest(reservation=reservation, request_id=str(uuid.uuid4()))
        answer = await self._connection.call(lambda limit: self._stub.MakeReservation(request, timeout=limit))
        return answer.reservation

    async def reservations(self) -> Sequence[wire.Reservation]:
        """All reservations that are not over, by their beginning."""
        request = wire.ListReservationsRequest()
        answer = await self._connection.call(lambda limit: self._stub.ListReservations(request, timeout=limit))
        return list(answer.reservations)

    async def cancel_reservation(self, reservation_id: str) -> None:
        """Ends a reservation now."""
        request = wire.CancelReservationRequest(reservation_id=reservation_id)
        await self._connection.call(lambda limit: self._stub.CancelReservation(request, timeout=limit))

    async def backup(self, *, artifacts: bool) -> AsyncIterator[wire.BackupResponse]:
        """The pieces of a backup, and its summary as the last message. What breaks off has to be begun again."""
        request = wire.BackupRequest(artifacts=artifacts)
        pursuit = self._connection.pursuit()
        begun = False
        while True:
            try:
                await pursuit.begin()
                async for response in self._stub.Backup(request):
                    begun = True
                    yield response
            except (grpc.RpcError, CrossfleetError) as failure:
                if begun and isinstance(failure, grpc.RpcError):
                    raise error_from_rpc(failure) from failure
                await pursuit.after(failure)
            else:
                return
