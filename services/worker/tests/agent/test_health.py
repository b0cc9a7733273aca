"""A worker that is asked for its health: what it looks at, what it repairs, and that it says so again."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from crossfleet.api.worker.v1 import worker_service_pb2 as wire
from crossfleet.foundation.wait import eventually
from crossfleet.worker.repair import NOT_STARTED, TIMED_OUT, Repair
from services.worker.tests.agent.stage import staged


async def checked(stage, **order) -> wire.HealthChecked:
    """Ask, and wait for the answer."""
    request = order["request"]
    before = len(stage.coordinator.checked)
    stage.coordinator.say(check_health=wire.CheckHealth(**order))
    await stage.until(lambda: len(stage.coordinator.checked) > before, f"an answer to {request}")
    return stage.coordinator.checked[-1]


async def test_a_sound_host_finds_itself_sound_and_repeats_its_answer():
    async with staged() as stage:
        agent = stage.start()
        await stage.ready(agent)
        assert stage.coordinator.sitting.hello.worker.checks_health
        answer = await checked(stage, request=1, cause="host lost 3 times")
        assert answer.good, answer
        assert [one.name for one in answer.findings] == ["disk", "disk", "memory", "process"]
        assert not answer.HasField("repair")
        assert await checked(stage, request=1) == answer


async def test_the_repair_command_runs_before_the_test_and_is_told_why(tmp_path: Path):
    script = "import os; print(os.environ['CROSSFLEET_CAUSE'], os.environ['CROSSFLEET_WORKER']); raise SystemExit(3)"
    async with staged() as stage:
        agent = stage.start("--repair", sys.executable, "--repair=-c", "--repair", script)
        await stage.ready(agent)
        answer = await checked(stage, request=7, repair=True, cause="disk full twice")
        assert (answer.repair.exit_status, answer.repair.output) == (3, b"disk full twice w1\n")
        assert answer.good, "the test says whether it helped, not the exit status"


async def test_a_device_that_no_detector_sees_is_told_as_gone():
    async with staged() as stage:
        agent = stage.start()
        await stage.ready(agent)
        gone = await checked(stage, request=1, device_id="GPU-0")
        assert not gone.good
        assert "GPU-0 is gone" in gone.findings[0].text
        there = await checked(stage, request=2, device_id="cpu-0")
        assert there.good, there


@pytest.mark.parametrize(
    ("command", "seconds", "status", "said"),
    [
        (("/nowhere/mend",), 30.0, NOT_STARTED, b"could not be started"),
        (("sh", "-c", "echo begun; sleep 60"), 1.0, TIMED_OUT, b"begun\n"),
        ((sys.executable, "-c", "print('x' * 100_000)"), 30.0, 0, b"x" * 1000),
    ],
)
async def test_a_repair_that_does_not_end_well_is_bounded(command, seconds, status, said):
    done = await Repair(command, seconds, os.environ).run("cause", "")
    assert done is not None
    assert done.exit_status == status
    assert said in done.output
    assert len(done.output) <= 16 * 1024


async def test_nothing_that_a_repair_began_outlives_it(tmp_path: Path):
    pid = tmp_path / "pid"
    script = f"sleep 60 & echo $! > {pid}"
    done = await Repair(("sh", "-c", script), 30.0, os.environ).run("cause", "")
    assert done is not None
    assert done.exit_status == 0
    assert await eventually(lambda: not _alive(int(pid.read_text())), deadline=30)


async def test_without_a_command_nothing_is_repaired():
    assert await Repair((), 1.0, {}).run("cause", "") is None


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False
