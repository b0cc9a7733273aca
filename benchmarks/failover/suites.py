"""What runs meanwhile: one test that lasts through everything, short tests that need a leader again and again, tasks of no work."""

from __future__ import annotations

from pathlib import Path

from crossfleet.api.types.v1 import run_pb2, suite_pb2

_LASTING = """
import os, pathlib, time

HERE = pathlib.Path(__file__).parent

def test_lasting():
    with open(HERE / "began", "a") as began:
        began.write(f"{os.getpid()}\\n")
    while not (HERE / "enough").exists():
        time.sleep(0.02)
"""

_STEADY = """
import time, pytest

@pytest.mark.parametrize("number", range(2000))
def test_short(number):
    time.sleep(0.03)
"""


class Lasting:
    """A test that runs until it is told that it is enough, and notes the process of each of its executions."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        (folder / "test_lasting.py").write_text(_LASTING)

    def spec(self) -> run_pb2.RunSpec:
        """A run of it."""
        return _pytest(self._folder)

    def processes(self) -> list[str]:
        """Of its executions so far."""
        began = self._folder / "began"
        return began.read_text().split() if began.exists() else []

    def end(self) -> None:
        """Let it pass."""
        (self._folder / "enough").touch()


def steady(folder: Path) -> run_pb2.RunSpec:
    """Tasks of one short test each, on one slot."""
    folder.mkdir(exist_ok=True)
    (folder / "test_steady.py").write_text(_STEADY)
    return _pytest(folder)


def single() -> run_pb2.RunSpec:
    """One task that does nothing."""
    return run_pb2.RunSpec(
        suite=suite_pb2.Suite(name="single", runner="noop", cases=["nothing"]),
        workspace=suite_pb2.Workspace(none=True),
        targets=[suite_pb2.Target(name="any", request=suite_pb2.Request(slots_max=1))],
    )


def _pytest(folder: Path) -> run_pb2.RunSpec:
    return run_pb2.RunSpec(
        suite=suite_pb2.Suite(name=folder.name, runner="pytest", arguments=["-p", "no:cacheprovider"]),
        workspace=suite_pb2.Workspace(local_path=str(folder)),
        targets=[suite_pb2.Target(name="any", request=suite_pb2.Request(slots_max=1))],
        policy=suite_pb2.Policy(max_cases_per_task=1),
    )
