from __future__ import annotations

import asyncio
import signal
import tempfile
from pathlib import Path

from crossfleet.api.types.v1 import run_pb2
from tests.integration.processes import Fleet
from tests.integration.test_restarts import SLOW, some_done
from tests.integration.test_runs import finished, noop, pytest_suite


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


async def test_cases_of_a_killed_worker_run_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "test_slow.py").write_text(SLOW)
    with tempfile.TemporaryDirectory(prefix="cf-") as folder:
        async with Fleet(Path(folder), flags=("--lease-seconds", "2")) as fleet:
            await asyncio.gather(fleet.start("w1", 1), fleet.start_worker("w2", 1))
            await fleet.settled(2)
            submitted = await fleet.submit(pytest_suite(tmp_path), "r1")
            await some_done(fleet, submitted.run.run_id, 2)
            await fleet.services["w1"].end(signal.SIGSTOP)
            run = await finished(fleet, submitted.run.run_id)

    assert run.verdict == run_pb2.RUN_VERDICT_PASSED
    assert run.counts.passed == 24
