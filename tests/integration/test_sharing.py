"""A device of which several runs hold portions: two at once, a third waits and says for what."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from crossfleet.api.types.v1 import run_pb2, suite_pb2
from crossfleet.client import Client, Endpoint
from crossfleet.foundation.wait import eventually
from tests.faults.verdicts import watched
from tests.integration.processes import Fleet

GIB = 2**30

# As a distribution that brings a detector declares it.
PLUGIN = """
class Detector:
    def present(self):
        return True

    def detect(self):
        return [{"device_id": "board-0", "device_class": "board", "capacities": {"memory": 8 * 2**30}}]
"""

SUITE = """
import os, pathlib, time

def test_on_a_board():
    pathlib.Path("begun-" + os.environ["CROSSFLEET_RUN"]).write_text(os.environ["CROSSFLEET_BOARD_MEMORY"])
    until = time.monotonic() + 60
    while not os.path.exists("go-on") and time.monotonic() < until:
        time.sleep(0.02)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """One with a short name: a socket's path has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="cf-") as name:
        yield Path(name)


@pytest.fixture
def fleet(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """Not started; its workers find the plugin."""
    declared = folder / "plugin" / "boards-1.0.dist-info"
    declared.mkdir(parents=True)
    (folder / "plugin" / "boards.py").write_text(PLUGIN)
    (declared / "METADATA").write_text("Metadata-Version: 2.1\nName: boards\nVersion: 1.0\n")
    (declared / "entry_points.txt").write_text("[crossfleet.detectors]\nboards = boards:Detector\n")
    monkeypatch.setenv("PYTHONPATH", str(folder / "plugin"), prepend=os.pathsep)
    return Fleet(folder)


async def test_two_runs_share_a_device_and_a_third_waits_until_enough_of_it_is_left(fleet: Fleet) -> None:
    suite = fleet.folder / "suite"
    suite.mkdir()
    (suite / "test_board.py").write_text(SUITE)
    spec = run_pb2.RunSpec(workspace=suite_pb2.Workspace(local_path=str(suite)))
    spec.suite.runner, spec.suite.name = "pytest", "board"
    spec.targets.add(name="board").request.devices.add(device_class="board", capacities={"memory": 4 * GIB})
    async with fleet, Client.open(Endpoint(f"unix:{fleet.folder}/c")) as client:
        await fleet.start("w1", 4, "--share", "board")
        runs = [await client.runs.submit(spec, request_id=f"r{number}") for number in range(3)]
        first, second, third = (one.run.run_id for one in runs)

        def begun() -> dict[str, str]:
            return {one.name.removeprefix("begun-"): one.read_text() for one in suite.glob("begun-*")}

        await eventually(lambda: len(begun()) >= 2, deadline=30, what="two runs begin")

        async def waits() -> bool:
            (target,) = (await client.runs.get(third)).targets
            return "a slot needs 4Gi of memory, board-0 has 0 of memory left on w1" in target.waiting_reason

        await eventually(waits, deadline=40, what="the third says what it waits for")
        assert begun() == {first: str(4 * GIB), second: str(4 * GIB)}
        (suite / "go-on").touch()
        ended = [(await watched(client, one))[-1].run_finished.run for one in runs]

    assert [one.verdict for one in ended] == [run_pb2.RUN_VERDICT_PASSED] * 3
    assert begun().keys() == {first, second, third}
