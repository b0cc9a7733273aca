from __future__ import annotations

import signal
import tempfile
from pathlib import Path

from crossfleet.api.coordinator.v1 import log_service_pb2 as log_pb2
from crossfleet.api.coordinator.v1 import run_service_pb2 as run_service
from crossfleet.api.types.v1 import result_pb2, run_pb2
from tests.integration.processes import Fleet
from tests.integration.test_restarts import SLOW, finished, some_done
from tests.integration.test_runs import noop, pytest_suite


async def test_targets_run_where_their_selector_holds(fleet: Fleet) -> None:
    await fleet.start_worker("w2", 1, "--label", "zone=eu")
    await fleet.settled(2)
    spec = noop(20)
    spec.targets.add(name="eu", selector='worker.labels.zone == "eu"')
    spec.targets.add(name="any")

    submitted = await fleet.submit(spec, "r1")
    events = await fleet.watch(submitted)

    assert events[-1].run_finished.run.verdict == run_pb2.RUN_VERDICT_PASSED
    workers = {event.allocation_opened.worker_id for event in events if event.allocation_opened.target == "eu"}
    assert workers == {"w2"}
    assert len(await fleet.cases(submitted.run.run_id)) == 40


async def test_a_target_that_nothing_satisfies_fails_and_says_which_clause(fleet: Fleet) -> None:
    spec = noop(2)
    spec.targets.add(name="gpu", selector='device.class == "gpu"')

    submitted = await fleet.submit(spec, "r1")
    run = await finished(fleet, submitted.run.run_id)

    assert run.verdict == run_pb2.RUN_VERDICT_INFRASTRUCTURE
    assert 'device.class == "gpu"' in run.targets[0].cause
    assert run.counts.not_run == 2


async def test_a_case_that_kills_its_process_is_named_and_the_others_run(fleet: Fleet, tmp_path: Path) -> None:
    (tmp_path / "test_dying.py").write_text(
        "import os\n\ndef test_one(): pass\n\ndef test_dies(): os._exit(1)\n\ndef test_two(): pass\n"
    )
    submitted = await fleet.submit(pytest_suite(tmp_path), "r1")
    await fleet.watch(submitted)
    outcomes = {case: outcome for (_, case), outcome in (await fleet.cases(submitted.run.run_id)).items()}

    assert outcomes == {
        "test_dying.py::test_one": result_pb2.OUTCOME_PASSED,
        "test_dying.py::test_dies": result_pb2.OUTCOME_CRASHED,
        "test_dying.py::test_two": result_pb2.OUTCOME_PASSED,
    }


async def test_a_file_that_cannot_be_collected_fails_the_run_with_its_name(fleet: Fleet, tmp_path: Path) -> None:
    (tmp_path / "test_broken.py").write_text("import nothing_of_this_name\n")
    (tmp_path / "test_fine.py").write_text("def test_fine(): pass\n")
    submitted = await fleet.submit(pytest_suite(tmp_path), "r1")
    run = await finished(fleet, submitted.run.run_id)
    page = await fleet.runs.ListCases(run_service.ListCasesRequest(run_id=run.run_id, full_results=True))

    assert run.verdict == run_pb2.RUN_VERDICT_FAILED
    broken = next(case for case in page.cases if case.case_id == "test_broken.py")
    assert broken.outcome == result_pb2.OUTCOME_ERROR
    assert b"nothing_of_this_name" in broken.result.details + broken.result.message.encode()


async def test_a_cancelled_run_ends_its_processes(fleet: Fleet, tmp_path: Path) -> None:
    (tmp_path / "test_long.py").write_text("import time\n\ndef test_long(): time.sleep(600)\n")
    submitted = await fleet.submit(pytest_suite(tmp_path), "r1")
    await some_assigned(fleet, submitted.run.run_id)
    await fleet.runs.CancelRun(run_service.CancelRunRequest(run_id=submitted.run.run_id, reason="enough"))
    run = await finished(fleet, submitted.run.run_id)
    again = await fleet.submit(noop(3), "r2")
    after = await finished(fleet, again.run.run_id)

    assert (run.verdict, run.counts.cancelled) == (run_pb2.RUN_VERDICT_CANCELLED, 1)
    assert after.counts.passed == 3


async def some_assigned(fleet: Fleet, run_id: str) -> None:
    from crossfleet.foundation.wait import eventually

    async def assigned() -> bool:
        attempts = await fleet.runs.ListAttempts(run_service.ListAttemptsRequest(run_id=run_id))
        return bool(attempts.attempts)

    await eventually(assigned, deadline=20.0, what="an attempt")


async def test_cases_of_a_killed_worker_run_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "test_slow.py").write_text(SLOW)
    with tempfile.TemporaryDirectory(prefix="cf-") as folder:
        async with Fleet(Path(folder), flags=("--lease-seconds", "2")) as fleet:
            await fleet.start_scheduler()
            await fleet.start_coordinator()
            await fleet.start_worker("w1", 1)
            await fleet.start_worker("w2", 1)
            await fleet.connect()
            await fleet.settled(2)
            submitted = await fleet.submit(pytest_suite(tmp_path), "r1")
            await some_done(fleet, submitted.run.run_id, 2)
            await fleet.services["w1"].end(signal.SIGSTOP)
            run = await finished(fleet, submitted.run.run_id)

    assert run.verdict == run_pb2.RUN_VERDICT_PASSED
    assert run.counts.passed == 24


async def test_output_that_no_capture_took_can_be_read(fleet: Fleet, tmp_path: Path) -> None:
    (tmp_path / "test_loud.py").write_text("import os\n\ndef test_loud(): os.write(1, b'out \\xff loud')\n")
    submitted = await fleet.submit(pytest_suite(tmp_path, "-s"), "r1")
    await fleet.watch(submitted)
    request = log_pb2.ReadLogsRequest(run_id=submitted.run.run_id)
    found = b"".join([one.content async for page in fleet.logs.ReadLogs(request) for one in page.chunks])

    assert b"out \xff loud" in found
