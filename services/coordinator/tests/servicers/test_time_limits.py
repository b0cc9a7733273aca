"""Time limits that are learnt from one run and hold in the next."""

from __future__ import annotations

from pathlib import Path

from crossfleet.api.coordinator.v1 import run_service_pb2 as run_service
from services.coordinator.tests.running import GreedyScheduler, ScriptedWorker, noop, running
from services.coordinator.tests.servicers.estimated import carried_out, learnt


async def test_the_next_run_has_limits_by_what_the_last_one_took_and_says_which(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        worker = ScriptedWorker(fleet.channel)
        await worker.welcomed()
        await carried_out(fleet, worker, noop(4, title="before"), seconds=20.0)
        await learnt(fleet, 4)

        spec = noop(5, title="after")
        spec.policy.learnt_case_timeout = True
        run_id = (await fleet.submit(spec, "after")).run.run_id
        told: dict[int, float] = {}
        while len(told) < 2:
            for task in (await worker.next("assign")).assign.tasks:
                told.update(zip(task.case_indices, task.case_timeout_seconds, strict=True))

        listed = await fleet.runs.ListCases(run_service.ListCasesRequest(run_id=run_id))
        limits = [case.time_limit_seconds for case in listed.cases]
        assert all(200.0 < limit < 2000.0 for limit in limits[:4])
        assert limits[4] == 0.0
        assert all(limits[index] == limit for index, limit in told.items())
