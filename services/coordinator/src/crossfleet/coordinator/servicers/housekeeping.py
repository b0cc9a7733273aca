"""AdminService of a leader: what else needs its stores and its state, such as retention, backups, semaphores, quotas and priority classes."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import asdict
from typing import Any

import grpc

from crossfleet.api.coordinator.v1 import admin_service_pb2 as admin_pb2
from crossfleet.coordinator.artifacts.blobs import PIECE_BYTES
from crossfleet.coordinator.config import Settings
from crossfleet.coordinator.convert.priorities import class_from, class_message, class_messages
from crossfleet.coordinator.core.priority_class import RemovePriorityClass, SetPriorityClass
from crossfleet.coordinator.core.quota import RemoveQuota, SetQuota
from crossfleet.coordinator.core.reservation import CancelReservation, MakeReservation
from crossfleet.coordinator.core.semaphore import RemoveSemaphore, SetSemaphore
from crossfleet.coordinator.lookup import Lookup
from crossfleet.coordinator.retention.retention import Retention
from crossfleet.coordinator.retention.rows import Removed
from crossfleet.coordinator.scheduling.schedulers import Schedulers
from crossfleet.coordinator.servicers.admin import AdminServicer
from crossfleet.coordinator.servicers.quotas import quota_from, quota_messages
from crossfleet.coordinator.servicers.reservations import reservation_from, reservation_messages
from crossfleet.coordinator.servicers.semaphores import check_semaphore, semaphore_messages
from crossfleet.foundation.clock import Clock


class HousekeepingServicer(AdminServicer):
    """Answers what AdminServicer does, and what is kept and may be carried away."""

    def __init__(
        self,
        settings: Settings,
        sources: Mapping[str, str],
        schedulers: Schedulers,
        retention: Retention,
        backup: Callable[[bool, float], AsyncIterator[bytes]],
        clock: Clock,
        lookup: Lookup,
    ) -> None:
        """`backup` makes one as of a time, with artifacts or without. `lookup` has the state, and takes commands."""
        super().__init__(settings, sources, schedulers)
        self._retention = retention
        self._backup = backup
        self._clock = clock
        self._lookup = lookup

    async def GetRetention(
        self, request: admin_pb2.GetRetentionRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> admin_pb2.GetRetentionResponse:
        """How long things are kept, and what goes. Raises ArtifactStoreUnavailable."""
        retention, policy = self._retention, self._retention.policy
        response = admin_pb2.GetRetentionResponse(
            days=policy.days,
            runs=policy.runs,
            artifact_days=policy.artifact_days,
            log_days=policy.log_days,
            grace_hours=policy.grace_hours,
            lost_worker_hours=policy.lost_worker_hours,
            left_worker_hours=policy.left_worker_hours,
            blobs_wait=not retention.blobs_certain(),
        )
        if request.count:
            response.foreign_store = not await retention.owns_store()
            response.next.CopyFrom(_counts(await retention.foreseen()))
        if retention.last_at:
            response.last.CopyFrom(_counts(retention.last))
            response.last_at.FromNanoseconds(int(retention.last_at * 1e9))
        return response

    async def Backup(
        self, request: admin_pb2.BackupRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[admin_pb2.BackupResponse]:
        """The bytes of a backup, then what they are. Raises ArtifactStoreUnavailable."""
        at = self._clock.now()
        digest, size = hashlib.sha256(), 0
        async for made in self._backup(request.artifacts, at):
            for start in range(0, len(made), PIECE_BYTES):
                content = made[start : start + PIECE_BYTES]
                digest.update(content)
                size += len(content)
                yield admin_pb2.BackupResponse(content=content)
        summary = admin_pb2.BackupSummary(sha256=digest.hexdigest(), size_bytes=size)
        summary.taken_at.FromNanoseconds(int(at * 1e9))
        yield admin_pb2.BackupResponse(summary=summary)

    async def ListSemaphores(
        self, request: admin_pb2.ListSemaphoresRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> admin_pb2.ListSemaphoresResponse:
        """All semaphores, who holds them and who waits."""
        return admin_pb2.ListSemaphoresResponse(semaphores=semaphore_messages(self._lookup.state()))

    async def SetSemaphore(
        self, request: admin_pb2.SetSemaphoreRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> admin_pb2.SetSemaphoreResponse:
        """Says how much there is of one. Raises InvalidArgument."""
        check_semaphore(request)
        await self._lookup.commit(SetSemaphore(request.name, request.capacity))
        found = (one for one in semaphore_messages(self._lookup.state()) if one.name == request.name)
        return admin_pb2.SetSemaphoreResponse(semaphore=next(found, None))

    async def RemoveSemaphore(
        self, request: admin_pb2.RemoveSemaphoreRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> admin_pb2.RemoveSemaphoreResponse:
        """Removes one. Raises SemaphoreNotFound, and StateConflict while open runs name it."""
        await self._lookup.commit(RemoveSemaphore(request.name))
        return admin_pb2.RemoveSemaphoreResponse()

    async def ListQuotas(
        self, request: admin_pb2.ListQuotasRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> admin_pb2.ListQuotasResponse:
        """All quotas, what is held of them and who waits."""
        return admin_pb2.ListQuotasResponse(quotas=quota_messages(self._lookup.state()))

    async def SetQuota(
        self, request: admin_pb2.SetQuotaRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> admin_pb2.SetQuotaResponse:
        """Limits a project. Raises InvalidArgument."""
        quota = quota_from(request.quota)
        await self._lookup.commit(SetQuota(quota))
        found = (one for one in quota_messages(self._lookup.state()) if one.quota.project == quota.project)
        return admin_pb2.SetQuotaResponse(quota=next(found, None))

    async def RemoveQuota(
        self, request: admin_pb2.RemoveQuotaRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> admin_pb2.RemoveQuotaResponse:
        """Lifts a project's limits. Raises ProjectNotFound where it has none."""
        await self._lookup.commit(RemoveQuota(request.project))
        return admin_pb2.RemoveQuotaResponse()

    async def ListPriorityClasses(
        self, request: admin_pb2.ListPriorityClassesRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> admin_pb2.ListPriorityClassesResponse:
        """All priority classes."""
        found = class_messages(self._lookup.state().priority_classes)
        return admin_pb2.ListPriorityClassesResponse(priority_classes=found)

    async def SetPriorityClass(
        self, request: admin_pb2.SetPriorityClassRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> admin_pb2.SetPriorityClassResponse:
        """Makes or changes one. Raises InvalidArgument, and StateConflict where there are too many."""
        made = class_from(request.priority_class)
        await self._lookup.commit(SetPriorityClass(made))
        return admin_pb2.SetPriorityClassResponse(priority_class=class_message(made))

    async def RemovePriorityClass(
        self, request: admin_pb2.RemovePriorityClassRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> admin_pb2.RemovePriorityClassResponse:
        """Removes one. Raises PriorityClassNotFound."""
        await self._lookup.commit(RemovePriorityClass(request.name))
        return admin_pb2.RemovePriorityClassResponse()

    async def MakeReservation(
        self, request: admin_pb2.MakeReservationRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> admin_pb2.MakeReservationResponse:
        """Keeps workers for a project. Raises InvalidArgument, SelectorInvalid, StateConflict."""
        state = self._lookup.state()
        made = reservation_from(request, self._clock.now(), state.selectors)
        await self._lookup.commit(MakeReservation(made))
        found = (one for one in reservation_messages(self._lookup.state()) if one.reservation_id == made.reservation_id)
        return admin_pb2.MakeReservationResponse(reservation=next(found, None))

    async def ListReservations(
        self, request: admin_pb2.ListReservationsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> admin_pb2.ListReservationsResponse:
        """All that are not over."""
        return admin_pb2.ListReservationsResponse(reservations=reservation_messages(self._lookup.state()))

    async def CancelReservation(
        self, request: admin_pb2.CancelReservationRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> admin_pb2.CancelReservationResponse:
        """Ends one now. Raises ReservationNotFound."""
        await self._lookup.commit(CancelReservation(request.reservation_id))
        return admin_pb2.CancelReservationResponse()


def _counts(removed: Removed) -> admin_pb2.RetentionCounts:
    return admin_pb2.RetentionCounts(**asdict(removed))
