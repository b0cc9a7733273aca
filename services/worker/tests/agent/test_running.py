"""Suites through the real agent and shim, against a scripted coordinator."""

from __future__ import annotations

from crossfleet.api.types.v1 import result_pb2
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
