"""ListExecutions: what the process that executed a case had executed before it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest

from crossfleet.api.coordinator.v1 import run_service_pb2 as run_service
from crossfleet.api.types.v1 import result_pb2, run_pb2, suite_pb2
from crossfleet.api.worker.v1 import worker_service_pb2 as worker_pb2
from crossfleet.foundation.errors import CaseNotFound, PageTokenInvalid
from crossfleet.foundation.errors.status import error_from_rpc
from services.coordinator.tests.running import GreedyScheduler, Running, ScriptedWorker, running

PASSED, CRASHED = result_pb2.OUTCOME_PASSED, result_pb2.OUTCOME_CRASHED
NAMES = tuple("abcdef")
# Case -> (process, position, outcome), as they are reported: `c` kills the first process.
EXECUTED = {"b": (1, 1), "a": (1, 2), "c": (1, 4), "f": (2, 1), "d": (2, 2)}
FACTS = result_pb2.RunnerFacts(
    executable="/env/bin/python", python="CPython 3.12.1", seeds={"PYTHONHASHSEED": "5"}, first_number=4, run_slots=6
)


async def crashed_run(fleet: Running) -> str:
    """A run of six cases on one slot, one of which, `e`, nobody executes."""
    worker = ScriptedWorker(fleet.channel, slots=1)
    worker.description["version"] = "1.2.3"
    await worker.welcomed()
    spec = run_pb2.RunSpec(suite=suite_pb2.Suite(name="s", runner="pytest"), workspace=suite_pb2.Workspace(none=True))
    spec.policy.max_cases_per_task = 100
    run_id = (await fleet.submit(spec)).run.run_id
    opened = (await worker.next("open_allocation")).open_allocation
    cases = [worker_pb2.CollectedCase(case_id=name) for name in NAMES]
    collected = worker_pb2.Collected(allocation_id=opened.allocation_id, digest="d", cases=cases, runner=FACTS)
    await worker.send(worker_pb2.WorkerMessage(collected=collected))
    left = dict(EXECUTED)
    while left:
        assign = (await worker.next("assign")).assign
        for task in assign.tasks:
            given = {NAMES[index]: index for index in task.case_indices}
            results = [
                result_pb2.CaseResult(
                    case_index=given[name],
                    outcome=CRASHED if name == "c" else PASSED,
                    process=process,
                    position=position,
                )
                for name, (process, position) in EXECUTED.items()
                if name in given
            ]
            for name in given:
                left.pop(name, None)
            told = worker_pb2.Results(attempt_id=task.attempt_id, results=results)
            await worker.journalled(worker_pb2.WorkerMessage(results=told))
            if "e" not in given:
                done = worker_pb2.AttemptFinished(attempt_id=task.attempt_id, cause=result_pb2.CAUSE_DONE)
                await worker.journalled(worker_pb2.WorkerMessage(attempt_finished=done))
        want = worker_pb2.WantTasks(allocation_id=assign.allocation_id, slots=[task.slot for task in assign.tasks])
        await worker.send(worker_pb2.WorkerMessage(want_tasks=want))
    while (await fleet.run(run_id)).counts.pending > 1:
        await worker.next("acknowledge")
    return run_id


async def executions(fleet: Running, run_id: str, case_id: str, **more: Any) -> run_service.ListExecutionsResponse:
    return await fleet.runs.ListExecutions(run_service.ListExecutionsRequest(run_id=run_id, case_id=case_id, **more))


def ids(answer: run_service.ListExecutionsResponse) -> list[str]:
    return [one.case_id for one in answer.executions]


async def test_a_case_has_before_it_what_its_own_process_executed_in_order(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        run_id = await crashed_run(fleet)
        crash = await executions(fleet, run_id, "c")
        after = await executions(fleet, run_id, "d")
        never = await executions(fleet, run_id, "e")

    assert ids(crash) == ["b", "a", "c"]
    assert [one.position for one in crash.executions] == [1, 2, 4], "the third place is somebody else's verdict"
    assert ids(after) == ["f", "d"], "nothing outlives the process that crashed"
    assert (ids(never), never.HasField("process")) == ([], False)


async def test_the_process_is_known_with_its_host_its_versions_and_its_seeds(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        process = (await executions(fleet, await crashed_run(fleet), "d")).process

    assert (process.worker_id, process.host, process.worker_version) == ("w1", "h", "1.2.3")
    assert (process.slot, process.run_number, process.number) == (0, 4, 2)
    assert process.runner == FACTS


async def test_the_order_survives_a_restart_of_the_coordinator(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        run_id = await crashed_run(fleet)
        before = await executions(fleet, run_id, "c")
    async with running(tmp_path) as fleet:
        assert await executions(fleet, run_id, "c") == before


async def test_long_orders_come_in_pages(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        run_id = await crashed_run(fleet)
        first = await executions(fleet, run_id, "c", page_size=2)
        second = await executions(fleet, run_id, "c", page_size=2, page_token=first.next_page_token)
        with pytest.raises(grpc.aio.AioRpcError) as foreign:
            await executions(fleet, run_id, "d", page_token=first.next_page_token)
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await executions(fleet, run_id, "nothing")

    assert (ids(first), ids(second), second.next_page_token) == (["b", "a"], ["c"], "")
    assert isinstance(error_from_rpc(foreign.value), PageTokenInvalid)
    assert isinstance(error_from_rpc(unknown.value), CaseNotFound)
