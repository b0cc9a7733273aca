"""What the leader's task does where a submission cannot be made at once, or never."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from crossfleet.api.types.v1 import run_pb2
from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import machine
from crossfleet.coordinator.core.model import State
from crossfleet.coordinator.core.schedule import CreateSchedule, Missed, Overlap, Schedule
from crossfleet.coordinator.schedules.keeping import keep_schedules
from crossfleet.foundation.clock import ManualClock
from crossfleet.foundation.errors import SchedulerNotFound
from crossfleet.foundation.wait import eventually
from services.coordinator.tests.ledger.scenario import submit

DUE = 600.0


class Leading:
    """A state whose commands are carried out at once, and a clock."""

    def __init__(self, *names: str) -> None:
        self.state, self.clock = State(), ManualClock(DUE - 60.0)
        for name in names:
            schedule = Schedule(f"id-{name}", name, "p", "* * * * *", "UTC", Missed.ONCE, Overlap.SKIP, 0.0, DUE)
            machine.apply(self.state, CreateSchedule(schedule, run_pb2.RunSpec().SerializeToString()), 0.0)

    async def commit(self, command: c.Command) -> Any:
        """Carry a command out."""
        return machine.apply(self.state, command, self.clock.now())

    @asynccontextmanager
    async def keeping(self, failure: Callable[[str], Exception | None]) -> AsyncIterator[None]:
        """Schedules are kept; what `failure` answers for a schedule's name is raised where its run is prepared."""

        async def prepare(request_id: str, spec: run_pb2.RunSpec) -> c.SubmitRun:
            name = spec.labels["schedule"]
            if (error := failure(name)) is not None:
                raise error
            return submit(f"run of {name} at {request_id}", request_id=request_id)

        task = asyncio.ensure_future(keep_schedules(lambda: self.state, self.commit, prepare, self.clock))
        try:
            yield
            assert not task.done(), task
        finally:
            task.cancel()

    async def until(self, name: str, holds: Callable[[Schedule], bool], most: float) -> Schedule:
        """Seconds go by until that holds of a schedule, `most` at most."""
        end = self.clock.now() + most

        def there() -> Schedule | None:
            schedule = self.state.schedules[name]
            if holds(schedule):
                return schedule
            assert self.clock.now() <= end, schedule
            self.clock.advance(1.0)
            return None

        found: Schedule | None = await eventually(there, deadline=20, interval=0.002)
        assert found is not None
        return found


async def test_a_schedule_that_breaks_something_keeps_no_other_from_its_time() -> None:
    leading = Leading("bad", "good")
    async with leading.keeping(lambda name: RuntimeError("no") if name == "bad" else None):
        await leading.until("good", lambda schedule: bool(schedule.last_run), 90.0)
        bad = await leading.until("bad", lambda schedule: bool(schedule.note), 90.0)
    assert bad.note == "a time made no run: RuntimeError: no"
    assert bad.next_at > DUE


async def test_a_scheduler_that_comes_within_a_minute_is_waited_for() -> None:
    leading = Leading("nightly")
    late = leading.clock.now() + 100.0

    def failure(name: str) -> Exception | None:
        return SchedulerNotFound("not yet") if leading.clock.now() < late else None

    async with leading.keeping(failure):
        made = await leading.until("nightly", lambda schedule: bool(schedule.last_run), 130.0)
    assert made.last_at == DUE
    assert not made.note


async def test_a_scheduler_that_does_not_come_costs_the_time_its_run() -> None:
    leading = Leading("nightly")
    async with leading.keeping(lambda name: SchedulerNotFound("no scheduler 'x'")):
        given_up = await leading.until("nightly", lambda schedule: bool(schedule.note), 200.0)
    assert given_up.note == "a time made no run: no scheduler 'x'"
    assert not leading.state.runs
