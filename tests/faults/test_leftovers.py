"""Whatever way a worker ends, no process is left of it: not the test, and not what the test had started and let go."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from crossfleet.api.types.v1 import run_pb2, suite_pb2
from crossfleet.client import Client
from crossfleet.foundation.wait import eventually
from tests.faults.leftovers import all_gone, kill_all, processes_of, runners_of, shims_of
from tests.integration.processes import Fleet

# A case that never ends, above a child in a session of its own, which ignores what can be ignored.
SOURCE = """
import pathlib, signal, subprocess, sys, time

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"

def test_endless():
    child = subprocess.Popen([sys.executable, "-c", STUBBORN], start_new_session=True)
    pathlib.Path(__file__).with_name("began").write_text(str(child.pid))
    time.sleep(600)
"""
AGENT = "crossfleet.worker "
SHORT = ("--orphan-seconds", "1", "--drain-seconds", "0.2", "--grace-seconds", "0.5")


@pytest.fixture(params=["pytest", pytest.param("command", marks=pytest.mark.slow)])
def spec(request: pytest.FixtureRequest, folder: Path) -> run_pb2.RunSpec:
    """A run that never ends by itself, of a runner with a zygote or of a single program."""
    place = folder / "endless"
    place.mkdir()
    (place / "test_endless.py").write_text(SOURCE)
    program = "import sys; sys.path.insert(0, '.'); import test_endless; test_endless.test_endless()"
    words = {"pytest": ["-p", "no:cacheprovider"], "command": ["python3", "-c", program]}[request.param]
    made = run_pb2.RunSpec(workspace=suite_pb2.Workspace(local_path=str(place)))
    made.suite.runner = request.param
    made.suite.arguments.extend(words)
    return made


@pytest_asyncio.fixture
async def fleet(folder: Path) -> AsyncIterator[Fleet]:
    """Its worker w1 has short times."""
    async with Fleet(folder) as running:
        await running.start("w1", 2, *SHORT)
        yield running


async def begun(fleet: Fleet, spec: run_pb2.RunSpec) -> int:
    """Let it run on w1; answers the process that the case has started."""
    await fleet.submit(spec, "r1")
    note = Path(spec.workspace.local_path, "began")
    await eventually(lambda: note.exists() and note.read_text(), deadline=40, what="the case began")
    child = int(note.read_text())
    assert child in runners_of(fleet.folder / "w1")
    return child


async def test_an_agent_that_is_killed_and_does_not_come_back(fleet: Fleet, spec: run_pb2.RunSpec) -> None:
    await begun(fleet, spec)
    kill_all(processes_of(fleet.folder / "w1", AGENT))
    assert await all_gone(fleet.folder / "w1")


async def test_a_shim_that_is_killed_under_its_agent(fleet: Fleet, spec: run_pb2.RunSpec) -> None:
    child = await begun(fleet, spec)
    before = set(runners_of(fleet.folder / "w1"))
    kill_all(shims_of(fleet.folder / "w1"))
    await eventually(lambda: not before & set(runners_of(fleet.folder / "w1")), deadline=30, what="what it ran is gone")
    assert child in before


async def test_an_agent_and_a_shim_that_are_killed_together_when_the_agent_is_started_again(
    fleet: Fleet, spec: run_pb2.RunSpec
) -> None:
    await begun(fleet, spec)
    before = set(processes_of(fleet.folder / "w1"))
    kill_all(processes_of(fleet.folder / "w1", "crossfleet.worker"))
    await fleet.start_worker("w1", 2, *SHORT)
    assert await eventually(
        lambda: not before & set(processes_of(fleet.folder / "w1")), deadline=30, what="all of it is gone"
    )


async def test_an_agent_that_is_told_to_go(fleet: Fleet, spec: run_pb2.RunSpec) -> None:
    await begun(fleet, spec)
    assert await fleet.services["w1"].end(signal.SIGTERM) == 0
    await all_gone(fleet.folder / "w1")


async def test_an_agent_that_is_told_twice_to_go(fleet: Fleet, spec: run_pb2.RunSpec) -> None:
    await begun(fleet, spec)
    os.kill(fleet.services["w1"].process.pid, signal.SIGTERM)
    await fleet.services["w1"].end(signal.SIGTERM)
    assert await all_gone(fleet.folder / "w1")


async def test_an_agent_that_was_started_anew_before_it_is_told_to_go(fleet: Fleet, spec: run_pb2.RunSpec) -> None:
    await begun(fleet, spec)
    process = fleet.services["w1"].process
    process.send_signal(signal.SIGHUP)
    assert process.stdout is not None
    assert b'"ready":true' in (await process.stdout.readline()).replace(b" ", b"")
    assert await fleet.services["w1"].end(signal.SIGTERM) == 0
    await all_gone(fleet.folder / "w1")


async def test_a_host_that_is_drained(fleet: Fleet, client: Client, spec: run_pb2.RunSpec) -> None:
    """What runs goes on; once it is cancelled nothing is left but the agent and its shim."""
    await begun(fleet, spec)
    await client.fleet.drain("w1", "new disk")
    (run,) = [run async for run in client.runs.list()]
    assert runners_of(fleet.folder / "w1")
    await client.runs.cancel(run.run_id, "enough")
    await eventually(lambda: not runners_of(fleet.folder / "w1"), deadline=30, what="nothing runs any more")
