"""Suites through the real agent and shim, against a scripted coordinator."""

from __future__ import annotations

from crossfleet.api.types.v1 import result_pb2, suite_pb2
from crossfleet.api.worker.v1 import worker_service_pb2 as wire
from services.worker.tests.agent.stage import staged

SUITE = """
import pytest

def test_passes():
    print("said by the case")

def test_fails():
    assert 1 == 2

@pytest.mark.skip(reason="not today")
def test_is_skipped():
    pass
"""


async def test_a_suite_runs_and_every_outcome_arrives() -> None:
    async with staged() as stage:
        stage.suite(test_a=SUITE)
        agent = stage.start()
        assert (await stage.ready(agent))["ready"] is True
        stage.open()
        cases = await stage.collected()
        stage.assign(7, [0, 1, 2])
        end = await stage.finished(7)
        results = stage.coordinator.results
        assert cases == ["test_a.py::test_passes", "test_a.py::test_fails", "test_a.py::test_is_skipped"]
        assert end.cause == result_pb2.CAUSE_DONE
        assert [results[7, case].outcome for case in range(3)] == [
            result_pb2.OUTCOME_PASSED,
            result_pb2.OUTCOME_FAILED,
            result_pb2.OUTCOME_SKIPPED,
        ]
        assert "assert 1 == 2" in results[7, 1].message


async def test_cases_that_need_no_process_are_answered_by_the_agent() -> None:
    async with staged() as stage:
        await stage.ready(stage.start())
        stage.open(suite=suite_pb2.Suite(name="n", runner="noop", cases=["a", "b"]), slots=[0, 1])
        cases = await stage.collected()
        stage.assign(1, [0], slot=0, last=False)
        stage.assign(2, [1], slot=1)
        await stage.finished(2)
        stage.close_allocation()
        end = await stage.allocation_ended()
        assert cases == ["a", "b"]
        assert {key: result.outcome for key, result in stage.coordinator.results.items()} == {
            (1, 0): result_pb2.OUTCOME_PASSED,
            (2, 1): result_pb2.OUTCOME_PASSED,
        }
        assert stage.coordinator.wants == [("a1", 0)]
        assert end.cause == result_pb2.CAUSE_DONE


async def test_a_slot_that_was_not_told_last_asks_for_more() -> None:
    async with staged() as stage:
        stage.suite(test_a=SUITE)
        await stage.ready(stage.start())
        stage.open()
        await stage.collected()
        stage.assign(1, [0, 1], last=False)
        await stage.until(lambda: ("a1", 0) in stage.coordinator.wants, "a want")
        stage.assign(2, [2], last=False)
        first = await stage.finished(1)
        stage.coordinator.say(no_more_tasks=wire.NoMoreTasks(allocation_id="a1", slots=[0]))
        second = await stage.finished(2)
        assert (first.cause, second.cause) == (result_pb2.CAUSE_DONE, result_pb2.CAUSE_DONE)


async def test_a_task_that_is_assigned_twice_is_executed_once() -> None:
    async with staged() as stage:
        stage.suite(test_a=SUITE)
        await stage.ready(stage.start())
        stage.open()
        await stage.collected()
        stage.assign(1, [0])
        stage.assign(1, [0])
        stage.assign(2, [2])
        await stage.finished(2)
        assert stage.coordinator.seen[1, 0] == 1


async def test_a_known_collection_is_not_sent_again() -> None:
    async with staged() as stage:
        stage.suite(test_a=SUITE)
        await stage.ready(stage.start())
        stage.open("a1")
        await stage.collected("a1")
        digest = stage.coordinator.collected["a1"][0].digest
        stage.open("a2", slots=[1], known_collection_digest=digest)
        cases = await stage.collected("a2")
        assert stage.coordinator.collected["a2"][0].digest == digest
        assert cases == []


async def test_collection_errors_are_told_with_their_text() -> None:
    async with staged() as stage:
        stage.suite(test_bad="import not_a_module_of_anyone\n")
        await stage.ready(stage.start())
        stage.open()
        await stage.collected()
        errors = stage.coordinator.collected["a1"][0].errors
        assert errors[0].case_id == "test_bad.py"
        assert "not_a_module_of_anyone" in errors[0].message + errors[0].details.decode()


async def test_a_runner_that_is_not_installed_is_named() -> None:
    async with staged() as stage:
        await stage.ready(stage.start())
        stage.open(suite=suite_pb2.Suite(name="s", runner="nose"))
        end = await stage.allocation_ended()
        assert "RUNNER_NOT_FOUND" in end.message
        assert "nose" in end.message


async def test_a_wrong_argument_of_pytest_is_the_suites_own_fault() -> None:
    async with staged() as stage:
        stage.suite(test_a=SUITE)
        await stage.ready(stage.start())
        stage.open(suite=suite_pb2.Suite(name="s", runner="pytest", arguments=["--no-such-option"]))
        end = await stage.allocation_ended()
        assert end.cause == result_pb2.CAUSE_COLLECTION
        assert "--no-such-option" in end.message


async def test_a_cancelled_attempt_ends_without_results_for_what_it_left() -> None:
    async with staged() as stage:
        stage.suite(test_e="import time\n\ndef test_e():\n    time.sleep(600)\n\ndef test_f():\n    pass\n")
        await stage.ready(stage.start())
        stage.open()
        await stage.collected()
        stage.assign(1, [0, 1])
        await stage.until(lambda: stage.coordinator.progress, "the case to begin")
        stage.coordinator.say(cancel_attempts=wire.CancelAttempts(attempt_ids=[1], grace_seconds=0.2))
        end = await stage.finished(1)
        assert end.cause == result_pb2.CAUSE_CANCELLED
        assert list(end.left_case_indices) == [0, 1]
        assert not stage.coordinator.results


async def test_a_silent_agent_sends_heartbeats_at_a_third_of_its_lease() -> None:
    async with staged() as stage:
        stage.coordinator.lease_seconds = 0.9
        await stage.ready(stage.start())
        await stage.until(lambda: stage.coordinator.sitting.heartbeats >= 3, "three heartbeats")
        assert stage.coordinator.sitting.heartbeats >= 3


async def test_a_case_may_have_a_time_limit_of_its_own() -> None:
    async with staged() as stage:
        stage.suite(
            test_a="import time\ndef test_long():\n    time.sleep(60)\ndef test_short():\n    time.sleep(0.5)\n"
        )
        await stage.ready(stage.start())
        stage.open(case_timeout_seconds=0.2)
        await stage.collected()
        task = wire.AssignedTask(attempt_id=1, case_indices=[1, 0], case_timeout_seconds=[30, 1.0], last=True)
        stage.coordinator.say(assign=wire.Assign(allocation_id="a1", tasks=[task]))
        await stage.finished(1)
        results = stage.coordinator.results
        assert results[1, 1].outcome == result_pb2.OUTCOME_PASSED
        assert results[1, 0].outcome == result_pb2.OUTCOME_TIMED_OUT
        assert results[1, 0].message == "exceeded the time limit of 1 s"
