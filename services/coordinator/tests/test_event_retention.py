from __future__ import annotations

from pathlib import Path

from crossfleet.api.coordinator.v1 import run_service_pb2
from crossfleet.api.types.v1 import run_pb2
from crossfleet.coordinator.ledger.event_queries import CursorExpired
from crossfleet.foundation.clock import ManualClock
from crossfleet.foundation.wait import eventually
from services.coordinator.tests.running import noop, running


async def test_old_events_go_and_those_of_open_runs_stay(tmp_path: Path) -> None:
    clock = ManualClock()
    async with running(tmp_path, clock=clock, event_commits=1) as fleet:
        ended = (await fleet.submit(noop(1), "ended")).run.run_id
        await fleet.runs.CancelRun(run_service_pb2.CancelRunRequest(run_id=ended))
        opened = (await fleet.submit(noop(1), "open")).run.run_id
        queries = fleet.coordinator.lookup.queries
        before = {one.run_id for one in await queries.events((0, -1))}
        await fleet.submit(noop(1), "another")
        clock.advance(60.0)

        async def expired() -> bool:
            try:
                await queries.events((1, 1 << 30), ended)
            except CursorExpired:
                return True
            return False

        await eventually(expired, what="events of the ended run to be dropped")
        kept = {one.run_id for one in await queries.events((0, -1))}
        run = await fleet.run(ended)

    assert {ended, opened} <= before
    assert ended not in kept
    assert opened in kept
    assert run.state == run_pb2.RUN_STATE_FINISHED
