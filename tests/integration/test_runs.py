from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from crossfleet.api.coordinator.v1 import log_service_pb2 as log_pb2
from crossfleet.api.coordinator.v1 import run_service_pb2 as run_service
from crossfleet.api.types.v1 import result_pb2, run_pb2, suite_pb2
from crossfleet.foundation.wait import eventually
from tests.integration.processes import Fleet

pytestmark = pytest.mark.asyncio(loop_scope="module")

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


async def finished(fleet: Fleet, run_id: str, seconds: float = 50.0) -> run_pb2.Run:
    async def over() -> run_pb2.Run | None:
        try:
            run = (await fleet.runs.GetRun(run_service.GetRunRequest(run_id=run_id))).run
        except Exception:  # the coordinator is being started again
            return None
        return run if run.state == run_pb2.RUN_STATE_FINISHED else None

    run = await eventually(over, deadline=seconds, interval=0.05, what=f"the end of {run_id}")
    assert run is not None
    return run


async def test_every_case_of_a_noop_run_passes_once(shared: Fleet) -> None:
    submitted = await shared.submit(noop(500), "r1")

    events = await shared.watch(submitted)

    finished = events[-1].run_finished.run
    assert finished.verdict == run_pb2.RUN_VERDICT_PASSED
    assert (finished.counts.total, finished.counts.passed) == (500, 500)
    told = [case.case_id for event in events for case in event.cases_finished.cases]
    assert sorted(told) == sorted(f"case-{number}" for number in range(500))


async def test_a_pytest_suite_has_the_outcomes_that_pytest_gives(shared: Fleet, tmp_path: Path) -> None:
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

    submitted = await shared.submit(pytest_suite(tmp_path), "r2")
    events = await shared.watch(submitted)

    assert events[-1].run_finished.run.verdict == run_pb2.RUN_VERDICT_FAILED
    expected = {("default", f"test_things.py::test_number[{number}]"): PASSED for number in range(20)}
    expected[("default", "test_things.py::test_wrong")] = FAILED
    expected[("default", "test_things.py::test_skipped")] = SKIPPED
    assert await shared.cases(submitted.run.run_id) == expected


async def test_a_target_that_nothing_satisfies_fails_and_says_which_clause(shared: Fleet) -> None:
    spec = noop(2)
    spec.targets.add(name="gpu", selector='device.class == "gpu"')

    submitted = await shared.submit(spec, "r3")
    run = await finished(shared, submitted.run.run_id)

    assert run.verdict == run_pb2.RUN_VERDICT_INFRASTRUCTURE
    assert 'device.class == "gpu"' in run.targets[0].cause
    assert run.counts.not_run == 2


async def test_a_case_that_kills_its_process_is_named_and_the_others_run(shared: Fleet, tmp_path: Path) -> None:
    (tmp_path / "test_dying.py").write_text(
        "import os\n\ndef test_one(): pass\n\ndef test_dies(): os._exit(1)\n\ndef test_two(): pass\n"
    )
    submitted = await shared.submit(pytest_suite(tmp_path), "r4")
    await shared.watch(submitted)
    outcomes = {case: outcome for (_, case), outcome in (await shared.cases(submitted.run.run_id)).items()}

    assert outcomes == {
        "test_dying.py::test_one": result_pb2.OUTCOME_PASSED,
        "test_dying.py::test_dies": result_pb2.OUTCOME_CRASHED,
        "test_dying.py::test_two": result_pb2.OUTCOME_PASSED,
    }


async def test_a_file_that_cannot_be_collected_fails_the_run_with_its_name(shared: Fleet, tmp_path: Path) -> None:
    (tmp_path / "test_broken.py").write_text("import nothing_of_this_name\n")
    (tmp_path / "test_fine.py").write_text("def test_fine(): pass\n")
    submitted = await shared.submit(pytest_suite(tmp_path), "r5")
    run = await finished(shared, submitted.run.run_id)
    page = await shared.runs.ListCases(run_service.ListCasesRequest(run_id=run.run_id, full_results=True))

    assert run.verdict == run_pb2.RUN_VERDICT_FAILED
    broken = next(case for case in page.cases if case.case_id == "test_broken.py")
    assert broken.outcome == result_pb2.OUTCOME_ERROR
    assert b"nothing_of_this_name" in broken.result.details + broken.result.message.encode()


async def test_a_cancelled_run_ends_its_processes(shared: Fleet, tmp_path: Path) -> None:
    (tmp_path / "test_long.py").write_text("import time\n\ndef test_long(): time.sleep(600)\n")
    submitted = await shared.submit(pytest_suite(tmp_path), "r6")
    await some_assigned(shared, submitted.run.run_id)
    await shared.runs.CancelRun(run_service.CancelRunRequest(run_id=submitted.run.run_id, reason="enough"))
    run = await finished(shared, submitted.run.run_id)
    again = await shared.submit(noop(3), "r7")
    after = await finished(shared, again.run.run_id)

    assert (run.verdict, run.counts.cancelled) == (run_pb2.RUN_VERDICT_CANCELLED, 1)
    assert after.counts.passed == 3


async def some_assigned(fleet: Fleet, run_id: str) -> None:
    async def assigned() -> bool:
        attempts = await fleet.runs.ListAttempts(run_service.ListAttemptsRequest(run_id=run_id))
        return bool(attempts.attempts)

    await eventually(assigned, deadline=40, what="an attempt")


async def test_output_that_no_capture_took_can_be_read(shared: Fleet, tmp_path: Path) -> None:
    (tmp_path / "test_loud.py").write_text("import os\n\ndef test_loud(): os.write(1, b'out \\xff loud')\n")
    submitted = await shared.submit(pytest_suite(tmp_path, "-s"), "r8")
    await shared.watch(submitted)
    request = log_pb2.ReadLogsRequest(run_id=submitted.run.run_id)
    found = b"".join([one.content async for page in shared.logs.ReadLogs(request) for one in page.chunks])

    assert b"out \xff loud" in found
