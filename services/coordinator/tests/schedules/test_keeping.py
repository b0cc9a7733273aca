"""Schedules of a running coordinator, whose clock the test moves."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest

from crossfleet.api.coordinator.v1 import run_service_pb2
from crossfleet.api.coordinator.v1 import schedule_service_pb2 as wire
from crossfleet.api.types.v1 import run_pb2
from crossfleet.foundation.clock import ManualClock
from crossfleet.foundation.errors import CrossfleetError
from crossfleet.foundation.errors.status import error_from_rpc
from crossfleet.foundation.wait import eventually
from services.coordinator.tests.running import Running, noop, running

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC).timestamp()
HOUR = 3600.0


async def create(fleet: Running, name: str = "hourly", *, replace: bool = False, **more: Any) -> wire.Schedule:
    schedule = wire.Schedule(**{"name": name, "cron": "0 * * * *", "spec": noop(1), **more})
    answer = await fleet.schedules.CreateSchedule(wire.CreateScheduleRequest(schedule=schedule, replace=replace))
    return answer.schedule


async def shown(fleet: Running, name: str = "hourly") -> wire.Schedule:
    return (await fleet.schedules.GetSchedule(wire.GetScheduleRequest(name=name))).schedule


async def refused(call: Any) -> CrossfleetError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return error_from_rpc(caught.value)


async def runs(fleet: Running) -> list[run_pb2.Run]:
    return list((await fleet.runs.ListRuns(run_service_pb2.ListRunsRequest())).runs)


async def after(fleet: Running, clock: ManualClock, seconds: float, count: int) -> list[run_pb2.Run]:
    """The runs that there are when so much time has gone by: so many."""
    clock.advance(seconds)

    async def there() -> list[run_pb2.Run]:
        clock.advance(0.01)
        found = await runs(fleet)
        return found if len(found) >= count else []

    found: list[run_pb2.Run] = await eventually(there, deadline=20, interval=0.01) if count else await runs(fleet)
    assert len(found) == count
    return found


async def cancel(fleet: Running, run_id: str) -> None:
    await fleet.runs.CancelRun(run_service_pb2.CancelRunRequest(run_id=run_id))


async def test_a_schedule_makes_a_run_at_each_of_its_times(tmp_path: Path) -> None:
    clock = ManualClock(NOON + 60)
    async with running(tmp_path, clock=clock) as fleet:
        made = await create(fleet)
        assert [at.seconds - NOON for at in made.next_times] == [HOUR * n for n in (1, 2, 3, 4, 5)]
        (first,) = await after(fleet, clock, HOUR, 1)
        assert dict(first.spec.labels) == {"schedule": "hourly", "scheduled_for": "2026-06-01T13:00:00Z"}
        await cancel(fleet, first.run_id)
        second, _ = await after(fleet, clock, HOUR, 2)

        found = await shown(fleet)
        assert (found.last_run_id, found.last_time.seconds) == (second.run_id, NOON + 2 * HOUR)
        assert found.next_times[0].seconds == NOON + 3 * HOUR


async def test_another_leader_makes_no_run_twice_and_makes_up_for_what_was_missed(tmp_path: Path) -> None:
    clock = ManualClock(NOON + 60)
    async with running(tmp_path, clock=clock) as fleet:
        await create(fleet)
        (first,) = await after(fleet, clock, HOUR, 1)
        await cancel(fleet, first.run_id)
    clock = ManualClock(NOON + 1.5 * HOUR)
    async with running(tmp_path, clock=clock) as fleet:
        await after(fleet, clock, 10.0, 1)
    clock = ManualClock(NOON + 4.5 * HOUR)
    async with running(tmp_path, clock=clock) as fleet:
        late, _ = await after(fleet, clock, 2.0, 2)
        assert late.spec.labels["scheduled_for"] == "2026-06-01T16:00:00Z"
        assert (await shown(fleet)).note == "2 times were missed"


async def test_a_paused_schedule_rests_until_it_is_resumed(tmp_path: Path) -> None:
    clock = ManualClock(NOON + 60)
    async with running(tmp_path, clock=clock) as fleet:
        await create(fleet)
        paused = (await fleet.schedules.PauseSchedule(wire.PauseScheduleRequest(name="hourly"))).schedule
        assert (paused.paused, list(paused.next_times)) == (True, [])
        await after(fleet, clock, 3 * HOUR, 0)
        resumed = (await fleet.schedules.ResumeSchedule(wire.ResumeScheduleRequest(name="hourly"))).schedule
        assert resumed.next_times[0].seconds == NOON + 4 * HOUR
        await after(fleet, clock, HOUR, 1)


async def test_what_cannot_be_a_schedule_is_refused_with_each_field(tmp_path: Path) -> None:
    async with running(tmp_path, clock=ManualClock(NOON)) as fleet:
        wrong = await refused(create(fleet, name="a b", cron="61 * * * *"))
        assert wrong.reason == "INVALID_ARGUMENT"
        assert {one.path for one in wrong.fields} == {"schedule.name", "schedule.cron"}
        zone = await refused(create(fleet, timezone="Europe/Belrin"))
        assert [one.description for one in zone.fields] == [
            "no time zone 'Europe/Belrin': did you mean 'Europe/Berlin'?"
        ]
        never = await refused(create(fleet, cron="0 0 30 2 *"))
        assert "bad day-of-month" in never.fields[0].description
        every = await refused(create(fleet, missed=wire.MISSED_POLICY_ALL))
        assert every.fields[0].path == "schedule.missed"
        lost = await refused(create(fleet, spec=noop(0, title="t" * 600)))
        assert lost.fields[0].path == "spec.title"
        assert (await refused(shown(fleet, "nothing"))).reason == "SCHEDULE_NOT_FOUND"
        assert not (await fleet.schedules.ListSchedules(wire.ListSchedulesRequest())).schedules


async def test_a_schedule_is_replaced_only_when_that_is_asked_for(tmp_path: Path) -> None:
    async with running(tmp_path, clock=ManualClock(NOON)) as fleet:
        await create(fleet)
        await create(fleet)
        assert (await refused(create(fleet, cron="5 * * * *"))).reason == "ALREADY_EXISTS"
        await create(fleet, cron="5 * * * *", replace=True)
        (listed,) = (await fleet.schedules.ListSchedules(wire.ListSchedulesRequest())).schedules
        assert (listed.cron, listed.HasField("spec")) == ("5 * * * *", False)
        await fleet.schedules.DeleteSchedule(wire.DeleteScheduleRequest(name="hourly"))
        assert (await refused(shown(fleet))).reason == "SCHEDULE_NOT_FOUND"


async def test_a_schedule_shows_variables_by_name_only(tmp_path: Path) -> None:
    async with running(tmp_path, clock=ManualClock(NOON)) as fleet:
        spec = noop(1)
        spec.suite.variables["TOKEN"] = "secret"
        made = await create(fleet, spec=spec)
        assert dict(made.spec.suite.variables) == {"TOKEN": "***"}
