from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest

from crossfleet.api.coordinator.v1 import fleet_service_pb2 as fleet_pb2
from crossfleet.api.types.v1 import device_pb2, result_pb2, run_pb2, suite_pb2
from crossfleet.api.worker.v1 import worker_service_pb2 as worker_pb2
from crossfleet.coordinator.core import commands as c
from crossfleet.coordinator.core import machine, reporting
from crossfleet.foundation.clock import ManualClock
from crossfleet.foundation.errors.status import error_from_rpc
from crossfleet.foundation.wait import eventually
from services.coordinator.tests.running import GreedyScheduler, Running, ScriptedWorker, noop, running

FINISHED = run_pb2.RUN_STATE_FINISHED


async def reason_of(worker: ScriptedWorker) -> str:
    error = await worker.ended()
    assert error is not None
    return error_from_rpc(error).reason


async def test_a_worker_gets_what_it_needs_and_a_run_comes_to_its_end(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        worker = ScriptedWorker(fleet.channel)
        welcome = await worker.welcomed()
        submitted = await fleet.submit(noop(4))

        opened = (await worker.next("open_allocation")).open_allocation
        done = 0
        while done < 4:
            assign = (await worker.next("assign")).assign
            done += sum(len(task.case_indices) for task in assign.tasks)
            await worker.execute(assign)
            await worker.send(want(opened.allocation_id, *(task.slot for task in assign.tasks)))
        await worker.next("close_allocation")
        await worker.give_back(opened.allocation_id)
        run = await fleet.until(submitted.run.run_id, FINISHED)

        assert welcome.epoch == fleet.coordinator.writer.epoch
        assert welcome.lease_seconds == 15.0
        assert (opened.target, opened.suite.runner, opened.workspace.none) == ("default", "noop", True)
        assert run.counts.passed == 4
        while acknowledged(worker) < worker.sequence:
            await worker.next("acknowledge")


def want(allocation_id: str, *slots: int) -> worker_pb2.WorkerMessage:
    return worker_pb2.WorkerMessage(want_tasks=worker_pb2.WantTasks(allocation_id=allocation_id, slots=slots))


def acknowledged(worker: ScriptedWorker) -> int:
    return max((message.acknowledge.sequence for message in worker.got if message.HasField("acknowledge")), default=0)


async def test_an_unknown_protocol_version_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        worker = ScriptedWorker(fleet.channel)
        await worker.hello(version=9)

        ended = await worker.ended()

    assert ended is not None
    error = error_from_rpc(ended)
    assert error.reason == "PROTOCOL_VERSION_UNSUPPORTED"
    assert (error.metadata["got"], error.metadata["lowest"], error.metadata["highest"]) == ("9", "1", "1")


async def test_a_stream_that_does_not_begin_with_hello_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        worker = ScriptedWorker(fleet.channel)
        await worker.send(worker_pb2.WorkerMessage(heartbeat=worker_pb2.Heartbeat()))

        assert await reason_of(worker) == "INVALID_ARGUMENT"


async def test_a_second_agent_with_the_same_name_is_refused_while_the_first_lives(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        first = ScriptedWorker(fleet.channel, incarnation="one")
        await first.welcomed()
        second = ScriptedWorker(fleet.channel, incarnation="two")
        await second.hello()

        assert await reason_of(second) == "WORKER_IDENTITY_IN_USE"
        await first.send(worker_pb2.WorkerMessage(heartbeat=worker_pb2.Heartbeat()))
        assert await fleet.worker_state("w1") == device_pb2.WORKER_STATE_READY


async def test_a_worker_that_was_started_anew_on_its_host_takes_its_name_over_at_once(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        first = ScriptedWorker(fleet.channel, incarnation="one")
        await first.welcomed()
        first.leave()
        await eventually(lambda: len(fleet.coordinator.sessions) == 0)
        second = ScriptedWorker(fleet.channel, incarnation="two")

        welcome = await second.welcomed()

        assert welcome.epoch == 1


async def test_who_ended_together_with_the_leader_is_not_blamed_for_it_and_who_ended_before_it_is(
    tmp_path: Path,
) -> None:
    async def health(fleet: Running) -> list[str]:
        found = (await fleet.fleet.GetWorker(fleet_pb2.GetWorkerRequest(worker_id="w1"))).worker
        return [incident.cause for known in found.health for incident in known.incidents]

    for term in range(3):
        async with running(tmp_path) as fleet:
            await ScriptedWorker(fleet.channel, incarnation=f"of-term-{term}").welcomed()
            assert not await health(fleet)
    async with running(tmp_path) as fleet:
        first = ScriptedWorker(fleet.channel, incarnation="one")
        await first.welcomed()
        first.leave()
        await eventually(lambda: len(fleet.coordinator.sessions) == 0)
        await ScriptedWorker(fleet.channel, incarnation="two").welcomed()
        assert await health(fleet) == ["host lost"]


async def test_a_worker_from_another_host_does_not_take_a_leased_name_over(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        first = ScriptedWorker(fleet.channel, incarnation="one")
        await first.welcomed()
        first.leave()
        await eventually(lambda: len(fleet.coordinator.sessions) == 0)
        second = ScriptedWorker(fleet.channel, incarnation="two")
        await second.hello(host="elsewhere")

        assert await reason_of(second) == "WORKER_IDENTITY_IN_USE"


async def test_a_new_session_of_the_same_life_ends_the_earlier_one(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        first = ScriptedWorker(fleet.channel)
        await first.welcomed()
        second = ScriptedWorker(fleet.channel)
        await second.welcomed()

        assert await reason_of(first) == "SESSION_REPLACED"


async def test_a_held_attempt_goes_on_over_a_lost_session(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        first = ScriptedWorker(fleet.channel, slots=1)
        await first.welcomed()
        submitted = await fleet.submit(noop(1))
        assign = (await first.next("assign")).assign
        attempts = [task.attempt_id for task in assign.tasks]
        first.leave()

        second = ScriptedWorker(fleet.channel, slots=1)
        held = worker_pb2.HeldAllocation(allocation_id=assign.allocation_id, attempt_ids=attempts)
        welcome = await second.welcomed(held=(held,))
        await second.execute(assign)
        run = await fleet.until(submitted.run.run_id, FINISHED)

        assert list(welcome.keep_allocation_ids) == [assign.allocation_id]
        assert list(welcome.cancel_attempt_ids) == []
        assert run.counts.passed == 1


async def test_an_assignment_that_never_arrived_is_made_again(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        first = ScriptedWorker(fleet.channel, slots=1)
        await first.welcomed()
        submitted = await fleet.submit(noop(1))
        assign = (await first.next("assign")).assign
        first.leave()

        second = ScriptedWorker(fleet.channel, slots=1)
        await second.welcomed(held=(worker_pb2.HeldAllocation(allocation_id=assign.allocation_id),))
        await second.send(worker_pb2.WorkerMessage(heartbeat=worker_pb2.Heartbeat()))
        again = (await second.next("assign")).assign
        await second.execute(again)
        run = await fleet.until(submitted.run.run_id, FINISHED)

        assert again.tasks[0].attempt_id != assign.tasks[0].attempt_id
        assert run.counts.passed == 1


async def test_results_of_a_lost_worker_are_answered_with_a_cancel(tmp_path: Path) -> None:
    clock = ManualClock(1_000.0)
    async with running(tmp_path, scheduler=GreedyScheduler(), clock=clock, lease_seconds=4.0) as fleet:
        worker = ScriptedWorker(fleet.channel, slots=1)
        await worker.welcomed()
        await fleet.submit(noop(1))
        assign = (await worker.next("assign")).assign
        await silence(fleet, clock, device_pb2.WORKER_STATE_LOST)

        assert await reason_of(worker) == "LEASE_LOST"
        back = ScriptedWorker(fleet.channel, slots=1)
        held = worker_pb2.HeldAllocation(
            allocation_id=assign.allocation_id, attempt_ids=[task.attempt_id for task in assign.tasks]
        )
        welcome = await back.welcomed(held=(held,))
        assert list(welcome.keep_allocation_ids) == []
        assert list(welcome.cancel_attempt_ids) == [assign.tasks[0].attempt_id]


async def test_a_coordinator_that_was_stopped_for_a_while_loses_no_worker(tmp_path: Path) -> None:
    clock = ManualClock(1_000.0)
    async with running(tmp_path, clock=clock, lease_seconds=4.0) as fleet:
        await ScriptedWorker(fleet.channel).welcomed()
        await eventually(lambda: clock.sleepers, what="the watch over leases")
        clock.advance(60.0)
        stopped = await fleet.worker_state("w1")
        await silence(fleet, clock, device_pb2.WORKER_STATE_LOST)

    assert stopped == device_pb2.WORKER_STATE_READY


async def silence(fleet: Running, clock: ManualClock, until: int) -> None:
    async def reached() -> bool:
        clock.advance(0.5)
        return await fleet.worker_state("w1") == until

    await eventually(reached, what="a worker's silence to be noticed")


async def test_a_silent_worker_is_suspect_and_ready_again_when_it_speaks(tmp_path: Path) -> None:
    clock = ManualClock(1_000.0)
    async with running(tmp_path, clock=clock, lease_seconds=30.0) as fleet:
        worker = ScriptedWorker(fleet.channel)
        await worker.welcomed()
        await silence(fleet, clock, device_pb2.WORKER_STATE_SUSPECT)

        await worker.send(worker_pb2.WorkerMessage(heartbeat=worker_pb2.Heartbeat()))

        async def ready() -> bool:
            return await fleet.worker_state("w1") == device_pb2.WORKER_STATE_READY

        assert await eventually(ready)


async def test_workers_of_before_a_restart_are_lost_one_lease_after_it(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        worker = ScriptedWorker(fleet.channel)
        await worker.welcomed()
    clock = ManualClock(1_000.0)
    async with running(tmp_path, clock=clock, lease_seconds=4.0) as fleet:
        before = await fleet.worker_state("w1")
        await silence(fleet, clock, device_pb2.WORKER_STATE_LOST)

        assert fleet.coordinator.writer.epoch == 2
        assert before == device_pb2.WORKER_STATE_SUSPECT


async def test_a_collection_in_pieces_is_one_collection(tmp_path: Path) -> None:
    spec = run_pb2.RunSpec(workspace=suite_pb2.Workspace(none=True))
    spec.suite.runner = "pytest"
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        worker = ScriptedWorker(fleet.channel, slots=1)
        await worker.welcomed()
        submitted = await fleet.submit(spec)
        opened = (await worker.next("open_allocation")).open_allocation
        pieces = []
        for piece, more in ((range(1000), True), (range(1000, 2000), True), ((2000,), False)):
            cases = [worker_pb2.CollectedCase(case_id=f"t.py::test_{one}", groups=["t.py"]) for one in piece]
            collected = worker_pb2.Collected(allocation_id=opened.allocation_id, digest="d", cases=cases, more=more)
            pieces.append(worker_pb2.WorkerMessage(collected=collected))
        await worker.send(pieces[0])
        await worker.send(*pieces[1:])
        done = 0
        while done < 2001:
            assign = (await worker.next("assign")).assign
            done += sum(len(task.case_indices) for task in assign.tasks)
            await worker.execute(assign)
            await worker.send(want(opened.allocation_id, 0))
        run = await fleet.until(submitted.run.run_id, FINISHED)

        assert (run.counts.total, run.counts.passed) == (2001, 2001)


async def test_a_failed_case_keeps_its_full_result(tmp_path: Path) -> None:
    from crossfleet.api.coordinator.v1.run_service_pb2 import GetCaseRequest

    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        worker = ScriptedWorker(fleet.channel, slots=1)
        await worker.welcomed()
        submitted = await fleet.submit(noop(1))
        task = (await worker.next("assign")).assign.tasks[0]
        result = result_pb2.CaseResult(
            case_index=0, outcome=result_pb2.OUTCOME_FAILED, message="no", details=b"\xff long", call_seconds=1.5
        )
        results = worker_pb2.Results(attempt_id=task.attempt_id, results=[result])
        finished = worker_pb2.AttemptFinished(attempt_id=task.attempt_id, cause=result_pb2.CAUSE_DONE)
        await worker.journalled(
            worker_pb2.WorkerMessage(results=results), worker_pb2.WorkerMessage(attempt_finished=finished)
        )
        run = await fleet.until(submitted.run.run_id, FINISHED)
        request = GetCaseRequest(run_id=run.run_id, case_id="case-0")
        case = (await fleet.runs.GetCase(request)).case

        assert run.verdict == run_pb2.RUN_VERDICT_FAILED
        assert (case.outcome, case.message, case.seconds) == (result_pb2.OUTCOME_FAILED, "no", 1.5)
        assert case.result.details == b"\xff long"


async def test_a_sign_of_life_is_answered(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        worker = ScriptedWorker(fleet.channel)
        welcome = await worker.welcomed()
        await worker.send(worker_pb2.WorkerMessage(heartbeat=worker_pb2.Heartbeat()))
        answer = await worker.response()
        await worker.send(worker_pb2.WorkerMessage(progress=worker_pb2.Progress()))
        again = await worker.response()

        assert welcome.answers_heartbeats
        assert [len(answer.messages), len(again.messages)] == [0, 0]


async def test_draining_the_coordinator_ends_sessions_without_an_error(tmp_path: Path) -> None:
    async with running(tmp_path) as fleet:
        worker = ScriptedWorker(fleet.channel)
        await worker.welcomed()
        fleet.coordinator.end_streams("it goes down")

        assert await worker.ended() is None


@pytest.mark.parametrize("field", ["worker_id", "incarnation"])
async def test_a_worker_without_identity_is_refused_by_field(tmp_path: Path, field: str) -> None:
    async with running(tmp_path) as fleet:
        worker = ScriptedWorker(fleet.channel)
        nothing: dict[str, Any] = {field: ""}
        await worker.hello(**nothing)
        ended = await worker.ended()

    assert isinstance(ended, grpc.aio.AioRpcError)
    assert [violation.path for violation in error_from_rpc(ended).fields] == [f"hello.worker.{field}"]


async def test_a_collection_that_cannot_be_recorded_ends_the_session_so_that_it_is_sent_again(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:

        async def broken(collection: Any) -> None:
            raise OSError("the database is gone")

        fleet.coordinator.sessions.record = broken
        worker = ScriptedWorker(fleet.channel)
        await worker.welcomed()
        await fleet.submit(noop(1))
        opened = (await worker.next("open_allocation")).open_allocation
        piece = worker_pb2.Collected(allocation_id=opened.allocation_id, digest="d")
        await worker.send(worker_pb2.WorkerMessage(collected=piece))

        assert await reason_of(worker) == "INTERNAL"


async def test_a_report_that_can_never_be_carried_out_costs_its_cases_a_try_and_does_not_come_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def report(emit: Any, command: c.WorkerReport) -> Any:
        if any(getattr(item, "attempt_id", 0) == 1 for item in command.items) and 1 in emit.state.attempts:
            raise ZeroDivisionError("a bug of the machine")
        return reporting.worker_report(emit, command)

    monkeypatch.setitem(machine._HANDLERS, c.WorkerReport, report)
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        submitted = await fleet.submit(noop(1))
        worker = ScriptedWorker(fleet.channel, slots=1)
        await worker.welcomed()
        assign = (await worker.next("assign")).assign
        held = (worker_pb2.HeldAllocation(allocation_id=assign.allocation_id, attempt_ids=[1]),)
        for _ in range(3):
            await worker.execute(assign)
            assert await reason_of(worker) == "INTERNAL"
            worker = ScriptedWorker(fleet.channel, slots=1)
            await worker.welcomed(held=held)
        await worker.execute(assign)
        again = (await worker.next("assign")).assign
        await worker.execute(again)
        run = await fleet.until(submitted.run.run_id, FINISHED)

    assert again.tasks[0].attempt_id != 1
    assert run.counts.passed == 1


async def test_a_worker_that_ended_its_session_in_good_order_has_left_at_once_and_its_name_is_free(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as fleet:
        worker = ScriptedWorker(fleet.channel)
        await worker.welcomed()
        await worker.leave_in_order("idle")

        async def left() -> bool:
            found = (await fleet.fleet.GetWorker(fleet_pb2.GetWorkerRequest(worker_id="w1"))).worker
            return found.has_left and found.HasField("gone_at") and found.cause == "idle"

        await eventually(left, deadline=30, what="it has left, long before its lease ends")
        summary = await fleet.fleet.GetFleet(fleet_pb2.GetFleetRequest())
        elsewhere = ScriptedWorker(fleet.channel, incarnation="i2")
        await elsewhere.welcomed(host="another")

        assert dict(summary.workers_by_state) == {}
        assert await fleet.worker_state("w1") == device_pb2.WORKER_STATE_READY


async def test_ids_of_named_cases_are_left_out_for_a_runner_that_executes_by_number(tmp_path: Path) -> None:
    async with running(tmp_path, scheduler=GreedyScheduler()) as fleet:
        worker = ScriptedWorker(fleet.channel, slots=1)
        hello = worker_pb2.Hello(protocol_version=1, first_unacknowledged_sequence=1, runners_by_number=["noop"])
        hello.worker.worker_id, hello.worker.incarnation, hello.worker.slots = worker.name, "i1", 1
        hello.worker.cpu_cores = 1.0
        hello.worker.runners.append("noop")
        await worker.send(worker_pb2.WorkerMessage(hello=hello))
        await worker.next("welcome")
        await fleet.submit(noop(4))
        opened = (await worker.next("open_allocation")).open_allocation
        assign = (await worker.next("assign")).assign

    assert not opened.suite.cases
    assert (opened.suite.runner, opened.cases_left_out) == ("noop", 4)
    assert assign.tasks[0].case_indices[0] in range(4)
