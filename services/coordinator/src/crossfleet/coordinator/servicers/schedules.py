"""ScheduleService: schedules are made, shown, paused and removed."""

from __future__ import annotations

from typing import Any

from crossfleet.api.coordinator.v1 import schedule_service_pb2 as wire
from crossfleet.api.coordinator.v1 import schedule_service_pb2_grpc as schedule_grpc
from crossfleet.api.types.v1 import run_pb2
from crossfleet.coordinator.convert.schedules import schedule_from, schedule_message
from crossfleet.coordinator.core.schedule import CreateSchedule, DeleteSchedule, PauseSchedule, Schedule
from crossfleet.coordinator.ledger import schedule_queries
from crossfleet.coordinator.lookup import Lookup
from crossfleet.coordinator.schedules.cron import CronError, next_time
from crossfleet.coordinator.schedules.keeping import Prepare
from crossfleet.foundation.clock import Clock
from crossfleet.foundation.errors import FieldViolation, InvalidArgument, ScheduleNotFound
from crossfleet.foundation.ids import IdSource


class ScheduleReads(schedule_grpc.ScheduleServiceServicer):
    """What is committed, read from SQL."""

    def __init__(self, lookup: Lookup, clock: Clock) -> None:
        """Asks `lookup`; coming times are told from the clock's on."""
        self._lookup = lookup
        self._clock = clock

    async def GetSchedule(self, request: wire.GetScheduleRequest, context: Any) -> wire.GetScheduleResponse:
        """One schedule, with what it submits. Raises ScheduleNotFound."""
        return wire.GetScheduleResponse(schedule=await self._shown(request.name))

    async def ListSchedules(self, request: wire.ListSchedulesRequest, context: Any) -> wire.ListSchedulesResponse:
        """All, by name."""
        rows = await self._lookup.queries.ask(schedule_queries.schedules, request.project)
        now = self._clock.now()
        return wire.ListSchedulesResponse(schedules=[schedule_message(one, now) for one in rows])

    async def _shown(self, name: str) -> wire.Schedule:
        schedule, spec = await self._stored(name)
        return schedule_message(schedule, self._clock.now(), spec)

    async def _stored(self, name: str) -> tuple[Schedule, bytes]:
        found = await self._lookup.queries.ask(schedule_queries.schedule, name)
        if found is None:
            raise ScheduleNotFound(f"no schedule {name!r}", schedule=name)
        return found


class ScheduleServicer(ScheduleReads):
    """All of the service."""

    def __init__(self, lookup: Lookup, clock: Clock, ids: IdSource, prepare: Prepare) -> None:
        """`prepare` checks a submission as if it were for now."""
        super().__init__(lookup, clock)
        self._ids = ids
        self._prepare = prepare

    async def CreateSchedule(self, request: wire.CreateScheduleRequest, context: Any) -> wire.CreateScheduleResponse:
        """Commits a schedule. Raises InvalidArgument, AlreadyExists, and what the checks of Submitting raise."""
        schedule = schedule_from(request.schedule, self._ids.new("schedule"), self._clock.now())
        spec = run_pb2.RunSpec()
        spec.CopyFrom(request.schedule.spec)
        await self._prepare(schedule.schedule_id, spec)
        stored = request.schedule.spec.SerializeToString(deterministic=True)
        await self._lookup.commit(CreateSchedule(schedule, stored, request.replace))
        return wire.CreateScheduleResponse(schedule=await self._shown(schedule.name))

    async def PauseSchedule(self, request: wire.PauseScheduleRequest, context: Any) -> wire.PauseScheduleResponse:
        """Lets it rest. Raises ScheduleNotFound."""
        await self._lookup.commit(PauseSchedule(request.name, True, 0.0))
        return wire.PauseScheduleResponse(schedule=await self._shown(request.name))

    async def ResumeSchedule(self, request: wire.ResumeScheduleRequest, context: Any) -> wire.ResumeScheduleResponse:
        """Lets it go on. Raises ScheduleNotFound, InvalidArgument where its times cannot be told any longer."""
        schedule, _ = await self._stored(request.name)
        try:
            coming = next_time(schedule.cron, schedule.timezone, self._clock.now())
        except CronError as error:
            wrong = FieldViolation(f"schedule.{error.field}", str(error))
            raise InvalidArgument(f"schedule {request.name} cannot go on", fields=[wrong]) from None
        await self._lookup.commit(PauseSchedule(request.name, False, coming))
        return wire.ResumeScheduleResponse(schedule=await self._shown(request.name))

    async def DeleteSchedule(self, request: wire.DeleteScheduleRequest, context: Any) -> wire.DeleteScheduleResponse:
        """Removes it. Raises ScheduleNotFound."""
        await self._lookup.commit(DeleteSchedule(request.name))
        return wire.DeleteScheduleResponse()
