from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest

from crossfleet.api.coordinator.v1 import fleet_service_pb2 as fleet_pb2
from crossfleet.api.coordinator.v1 import run_service_pb2 as run_service
from crossfleet.api.types.v1 import run_pb2
from crossfleet.foundation.wait import eventually
from tests.integration.processes import Fleet
from tests.integration.test_runs import finished, noop, pytest_suite

SLOW = """
import pathlib, time, pytest

@pytest.mark.parametrize("number", range(24))
def test_slow(number, tmp_path):
    with pathlib.Path(__file__).with_name("executed").open("a") as executed:
        executed.write(f"{number}\\n")
    time.sleep(0.1)
"""


async def some_done(fleet: Fleet, run_id: str, least: int) -> None:
    async def done() -> bool:
        counts = (await fleet.runs.GetRun(run_service.GetRunRequest(run_id=run_id))).run.counts
        return counts.total > 0 and counts.total - counts.pending >= least

    await eventually(done, deadline=30.0, what="some results")


async def test_a_killed_coordinator_goes_on_where_it_was_and_no_case_runs_twice(fleet: Fleet, tmp_path: Path) -> None:
    (tmp_path / "test_slow.py").write_text(SLOW)
    submitted = await fleet.submit(pytest_suite(tmp_path), "r1")
    await some_done(fleet, submitted.run.run_id, 4)

    await fleet.services["coordinator"].end(signal.SIGKILL)
    await fleet.start_coordinator()
    run = await finished(fleet, submitted.run.run_id)

    assert run.verdict == run_pb2.RUN_VERDICT_PASSED
    assert run.counts.passed == 24
    executed = (tmp_path / "executed").read_text().split()
    assert sorted(map(int, executed)) == list(range(24))
    assert (await fleet.fleet.GetFleet(fleet_pb2.GetFleetRequest())).epoch == 2


async def test_a_scheduler_that_is_started_again_goes_on(fleet: Fleet) -> None:
    await fleet.services["scheduler"].end(signal.SIGKILL)
    submitted = await fleet.submit(noop(10), "r1")
    await fleet.start_scheduler()
    run = await finished(fleet, submitted.run.run_id)

    assert run.counts.passed == 10


async def test_a_coordinator_that_is_told_to_stop_stops_soon_with_workers_connected(fleet: Fleet) -> None:
    assert await fleet.services["coordinator"].end(signal.SIGTERM) == 0, "it was killed after a while"


async def refusal(*flags: str) -> tuple[int, dict[str, object]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "crossfleet.coordinator", *flags, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), 50)
    assert process.returncode is not None
    return process.returncode, json.loads(out.splitlines()[-1])


async def test_a_second_coordinator_on_a_data_folder_is_refused_and_named_the_first(fleet: Fleet) -> None:
    status, said = await refusal("--data", str(fleet.folder / "data"), "--listen", f"unix:{fleet.folder}/x")

    assert status == 3
    assert said["reason"] == "DATA_FOLDER_IN_USE"
    assert str(fleet.services["coordinator"].process.pid) in str(said["message"])


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ((), "CONFIGURATION_INVALID"),
        (("--data", "{folder}", "--listen", "0.0.0.0:0"), "INSECURE_TRANSPORT"),
        (("--data", "{folder}", "--listen", "nowhere"), "ADDRESS_INVALID"),
        (("--data", "{folder}", "--lease-seconds", "-1"), "CONFIGURATION_INVALID"),
    ],
)
async def test_wrong_settings_are_refused_with_a_reason(tmp_path: Path, flags: tuple[str, ...], reason: str) -> None:
    status, said = await refusal(*(flag.format(folder=tmp_path / "data") for flag in flags))

    assert status in {2, 3}
    assert said["reason"] == reason
