"""Devices that vanish under a test: it is no verdict of the test, and it goes on elsewhere."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from crossfleet.api.types.v1 import device_pb2, result_pb2, run_pb2, suite_pb2
from crossfleet.client import Client, Endpoint
from crossfleet.foundation.wait import eventually
from tests.faults.verdicts import causes, watched
from tests.integration.processes import Fleet

# As a distribution that brings a detector declares it; each worker finds the device that its file names.
PLUGIN = """
import json, os

class Detector:
    def present(self):
        return True

    def detect(self):
        with open(os.environ["DEVICES"]) as file:
            return [{"device_id": name, "device_class": "npu", "attributes": {"model": "x"}} for name in json.load(file)]
"""

SUITE = """
import os, pathlib, signal, time

def test_on_a_device():
    if os.environ["CROSSFLEET_WORKER"] == "w2":
        return
    pathlib.Path("begun").touch()
    if os.path.exists("crash"):
        pathlib.Path("crash").rename(os.path.join("..", "w1.devices"))
        os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(100)
"""


@pytest.fixture
def fleet(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """Not started; its workers find the plugin."""
    declared = folder / "plugin" / "npus-1.0.dist-info"
    declared.mkdir(parents=True)
    (folder / "plugin" / "npus.py").write_text(PLUGIN)
    (declared / "METADATA").write_text("Metadata-Version: 2.1\nName: npus\nVersion: 1.0\n")
    (declared / "entry_points.txt").write_text("[crossfleet.detectors]\nnpus = npus:Detector\n")
    monkeypatch.setenv("PYTHONPATH", str(folder / "plugin"), prepend=os.pathsep)
    return Fleet(folder, flags=("--lease-seconds", "2"))


async def start(fleet: Fleet, name: str, monkeypatch: pytest.MonkeyPatch, *flags: str) -> Path:
    """Start a worker with one device; answers the file that names it."""
    devices = fleet.folder / f"{name}.devices"
    devices.write_text(json.dumps([f"npu-{name}"]))
    monkeypatch.setenv("DEVICES", str(devices))
    await fleet.start_worker(name, 1, *flags)
    return devices


@pytest.mark.parametrize("crashes", [False, True], ids=["between two looks", "with a crash"])
async def test_a_test_whose_device_is_lost_runs_again_on_another_host(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, *, crashes: bool
) -> None:
    suite = fleet.folder / "suite"
    suite.mkdir()
    (suite / "test_device.py").write_text(SUITE)
    if crashes:
        (suite / "crash").write_text("[]")
    spec = run_pb2.RunSpec(workspace=suite_pb2.Workspace(local_path=str(suite)))
    spec.suite.runner, spec.suite.name = "pytest", "device"
    spec.targets.add(name="npu", selector='device.class == "npu"')
    async with fleet, Client.open(Endpoint(f"unix:{fleet.folder}/c")) as client:
        await asyncio.gather(fleet.start_scheduler(), fleet.start_coordinator())
        # Where it crashes nobody looks by the clock.
        devices = await start(fleet, "w1", monkeypatch, "--detector-every-seconds", "0" if crashes else "0.2")
        await fleet.connect()
        await fleet.settled(1)
        submitted = await client.runs.submit(spec, request_id="r1")
        await eventually((suite / "begun").exists, deadline=30, what="the test begins")
        if not crashes:
            devices.write_text("[]")

        async def lost() -> bool:
            return result_pb2.CAUSE_DEVICE_LOST in (await causes(client, submitted.run.run_id)).get("w1", set())

        await eventually(lost, deadline=40, what="the attempt ends")
        await start(fleet, "w2", monkeypatch)
        events = await watched(client, submitted)
        worker = (await client.fleet.worker("w1")).worker
        cases = [case async for case in client.runs.cases(submitted.run.run_id)]

    assert events[-1].run_finished.run.verdict == run_pb2.RUN_VERDICT_PASSED
    assert [(case.outcome, case.worker_id) for case in cases] == [(result_pb2.OUTCOME_PASSED, "w2")]
    assert {one.device_id: list(one.conditions) for one in worker.devices}["npu-w1"] == ["lost"]
    assert worker.state == device_pb2.WORKER_STATE_READY
