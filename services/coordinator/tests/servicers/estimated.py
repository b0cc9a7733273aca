"""Runs that were carried out, by which others are estimated."""

from __future__ import annotations

from typing import Any

from crossfleet.api.coordinator.v1 import run_service_pb2 as run_service
from crossfleet.api.types.v1 import result_pb2, run_pb2
from crossfleet.api.worker.v1 import worker_service_pb2 as worker_pb2
from crossfleet.foundation.wait import eventually
from services.coordinator.tests.running import SECONDS, Running, ScriptedWorker, noop

PASSED, SKIPPED = result_pb2.OUTCOME_PASSED, result_pb2.OUTCOME_SKIPPED


async def carried_out(
    fleet: Running, worker: ScriptedWorker, spec: run_pb2.RunSpec, *, seconds: float = 2.0, skipped: int = 0
) -> str:
    """A run of named cases from submission to end. Its first cases skip themselves, the others take some seconds each."""
    run_id = (await fleet.submit(spec, spec.title)).run.run_id
    allocation_id = await executed(worker, len(spec.suite.cases), seconds=seconds, skipped=skipped)
    await fleet.until(run_id, run_pb2.RUN_STATE_FINISHED)
    await worker.give_back(allocation_id)

    async def free() -> bool:
        return not fleet.coordinator.writer.state.allocations

    await eventually(free, deadline=SECONDS, what="the slots are free again")
    return run_id


async def executed(worker: ScriptedWorker, left: int, *, seconds: float, skipped: int = 0) -> str:
    """So many cases, from their allocation to their end; answers the allocation, which still holds its slots."""
    opened = (await worker.next("open_allocation")).open_allocation
    while left:
        assign = (await worker.next("assign")).assign
        for task in assign.tasks:
            results = [_result(index, seconds, index < skipped) for index in task.case_indices]
            left -= len(results)
            await worker.journalled(
                worker_pb2.WorkerMessage(results=worker_pb2.Results(attempt_id=task.attempt_id, results=results)),
                worker_pb2.WorkerMessage(
                    attempt_finished=worker_pb2.AttemptFinished(attempt_id=task.attempt_id, cause=result_pb2.CAUSE_DONE)
                ),
            )
        want = worker_pb2.WantTasks(allocation_id=assign.allocation_id, slots=[task.slot for task in assign.tasks])
        await worker.send(worker_pb2.WorkerMessage(want_tasks=want))
    return opened.allocation_id


def _result(index: int, seconds: float, skipped: bool) -> result_pb2.CaseResult:
    result = result_pb2.CaseResult(case_index=index, outcome=SKIPPED if skipped else PASSED)
    result.call_seconds = 0.0001 if skipped else seconds
    return result


async def learnt(fleet: Running, cases: int, **history: str) -> None:
    """Wait until so many cases are in the duration model: it is written after the run's end."""
    request = run_service.ListDurationsRequest(history=run_service.History(suite="noop", runner="noop", **history))

    async def known() -> bool:
        return len((await fleet.runs.ListDurations(request)).cases) == cases

    await eventually(known, deadline=SECONDS, what="the durations are learnt")


async def measured(fleet: Running, slots: int) -> tuple[ScriptedWorker, str]:
    """A worker, and the run of twenty cases of three seconds by which durations are known."""
    worker = ScriptedWorker(fleet.channel, slots=slots)
    await worker.welcomed()
    first = await carried_out(fleet, worker, noop(20, title="first"), seconds=3.0)
    await learnt(fleet, 20)
    return worker, first


async def estimate(fleet: Running, spec: run_pb2.RunSpec) -> run_service.EstimateRunResponse:
    return await fleet.runs.EstimateRun(run_service.EstimateRunRequest(spec=spec))


async def explain(fleet: Running, run_id: str) -> run_service.TargetExplanation:
    answer = await fleet.runs.ExplainRun(run_service.ExplainRunRequest(run_id=run_id))
    return answer.targets[0]


def unnamed(**more: Any) -> run_pb2.RunSpec:
    """A run of the same suite whose cases are not named."""
    return noop(0, **more)
