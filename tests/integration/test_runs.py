from __future__ import annotations

import textwrap
from pathlib import Path

from crossfleet.api.types.v1 import result_pb2, run_pb2, suite_pb2
from tests.integration.processes import Fleet

PASSED, FAILED, SKIPPED = result_pb2.OUTCOME_PASSED, result_pb2.OUTCOME_FAILED, result_pb2.OUTCOME_SKIPPED


def noop(cases: int) -> run_pb2.RunSpec:
    spec = run_pb2.RunSpec(workspace=suite_pb2.Workspace(none=True))
    spec.suite.runner, spec.suite.name = "noop", "noop"
    spec.suite.cases.extend(f"case-{number}" for number in range(cases))
    return spec


def pytest_suite(folder: Path, *arguments: str) -> run_pb2.RunSpec:
    spec = run_pb2.RunSpec(workspace=suite_pb2.Workspace(local_path=str(folder)))
    spec.suite.runner = "pytest"
    spec.suite.arguments.extend(arguments)
    return spec


async def test_every_case_of_a_noop_run_passes_once(fleet: Fleet) -> None:
    submitted = await fleet.submit(noop(500), "r1")

    events = await fleet.watch(submitted)

    finished = events[-1].run_finished.run
    assert finished.verdict == run_pb2.RUN_VERDICT_PASSED
    assert (finished.counts.total, finished.counts.passed) == (500, 500)
    told = [case.case_id for event in events for case in event.cases_finished.cases]
    assert sorted(told) == sorted(f"case-{number}" for number in range(500))


async def test_a_pytest_suite_has_the_outcomes_that_pytest_gives(fleet: Fleet, tmp_path: Path) -> None:
    (tmp_path / "test_things.py").write_text(
        textwrap.dedent(
            """
            import pytest

            @pytest.mark.parametrize("number", range(20))
            def test_number(number):
                assert number >= 0

            def test_wrong():
                assert 1 == 2

            @pytest.mark.skip(reason="not today")
            def test_skipped():
                pass
            """
        )
    )

    submitted = await fleet.submit(pytest_suite(tmp_path), "r1")
    events = await fleet.watch(submitted)

    assert events[-1].run_finished.run.verdict == run_pb2.RUN_VERDICT_FAILED
    expected = {("default", f"test_things.py::test_number[{number}]"): PASSED for number in range(20)}
    expected[("default", "test_things.py::test_wrong")] = FAILED
    expected[("default", "test_things.py::test_skipped")] = SKIPPED
    assert await fleet.cases(submitted.run.run_id) == expected
