"""Calls about schedules."""

from __future__ import annotations

from collections.abc import Sequence

from crossfleet.api.coordinator.v1 import schedule_service_pb2 as wire
from crossfleet.api.coordinator.v1.schedule_service_pb2_grpc import ScheduleServiceStub
from crossfleet.client.connection import Connection


class ScheduleCalls:
    """The ScheduleService of a fleet. Every method raises the CrossfleetError that the fleet answers."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stub = ScheduleServiceStub(connection.channel)

    async def create(self, schedule: wire.Schedule, *, replace: bool = False) -> wire.Schedule:
        """Commits a schedule; the same again answers the first. `replace`: another one of its name goes."""
        request = wire.CreateScheduleRequest(schedule=schedule, replace=replace)
        return (await self._connection.call(lambda limit: self._stub.CreateSchedule(request, timeout=limit))).schedule

    async def get(self, name: str) -> wire.Schedule:
        """One schedule, with what it submits."""
        request = wire.GetScheduleRequest(name=name)
        return (await self._connection.call(lambda limit: self._stub.GetSchedule(request, timeout=limit))).schedule

    async def list(self, *, project: str = "") -> Sequence[wire.Schedule]:
        """All, by name, without what they submit."""
        request = wire.ListSchedulesRequest(project=project)
        answer = await self._connection.call(lambda limit: self._stub.ListSchedules(request, timeout=limit))
        return list(answer.schedules)

    async def pause(self, name: str) -> wire.Schedule:
        """Lets its times pass."""
        request = wire.PauseScheduleRequest(name=name)
        return (await self._connection.call(lambda limit: self._stub.PauseSchedule(request, timeout=limit))).schedule

    async def resume(self, name: str) -> wire.Schedule:
        """Keeps its times again, from the next one on."""
        request = wire.ResumeScheduleRequest(name=name)
        return (await self._connection.call(lambda limit: self._stub.ResumeSchedule(request, timeout=limit))).schedule

    async def delete(self, name: str) -> None:
        """Removes it; runs that it made stay."""
        request = wire.DeleteScheduleRequest(name=name)
        await self._connection.call(lambda limit: self._stub.DeleteSchedule(request, timeout=limit))
