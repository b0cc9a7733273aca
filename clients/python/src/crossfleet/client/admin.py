"""Calls of those who look after a fleet."""

from __future__ import annotations

from collections.abc import AsyncIterator

from crossfleet.api.coordinator.v1 import admin_service_pb2 as wire
from crossfleet.api.coordinator.v1.admin_service_pb2_grpc import AdminServiceStub
from crossfleet.client.connection import Connection
from crossfleet.foundation.errors.status import translated

_COUNTING_SECONDS = 600.0


class AdminCalls:
    """The AdminService of a fleet. Every method raises the CrossfleetError that the fleet answers."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = AdminServiceStub(connection.channel)

    async def retention(self, *, count: bool = False) -> wire.GetRetentionResponse:
        """How long things are kept; with `count` what would be removed now, which may take minutes."""
        request = wire.GetRetentionRequest(count=count)
        if not count:
            return await self._connection.call(lambda limit: self._stub.GetRetention(request, timeout=limit))
        with translated():
            counted: wire.GetRetentionResponse = await self._stub.GetRetention(request, timeout=_COUNTING_SECONDS)
            return counted

    async def backup(self, *, artifacts: bool) -> AsyncIterator[wire.BackupResponse]:
        """The pieces of a backup, and its summary as the last message. What breaks off has to be begun again."""
        with translated():
            async for response in self._stub.Backup(wire.BackupRequest(artifacts=artifacts)):
                yield response
